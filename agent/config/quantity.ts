// Sizes, durations and samples as people write them in configuration files and options: `64MiB`,
// `5s`, `5%`.
//
// Pure. Sizes are powers of 1024 with or without the "i" (64M and 64MiB are the same) and end up
// as bytes; durations end up as milliseconds. What is no quantity gives null: the caller knows the
// key or option and words the error.

const SIZE_UNITS = ["", "K", "M", "G", "T", "P"] as const;
const SIZE_PATTERN = /^(\d{1,15}(?:\.\d{1,6})?) ?([KMGTP]?)(?:i?B)?$/i;
const DURATION_PATTERN = /^(\d{1,12}(?:\.\d{1,6})?) ?(ms|s|m|min|h|d)$/;
const SAMPLE_PATTERN = /^(\d{1,9}(?:\.\d{1,6})?)(%?)$/;
const DURATION_UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Bytes of a size, or null when `text` is none or is no whole number of bytes.
 * @example parseSize("64MiB") // 67108864
 */
export function parseSize(text: string): number | null {
  const match = SIZE_PATTERN.exec(text.trim());
  if (match === null) return null;
  const power = SIZE_UNITS.indexOf((match[2] ?? "").toUpperCase() as typeof SIZE_UNITS[number]);
  const bytes = Number(match[1]) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * Milliseconds of a duration, or null when `text` is none. A unit is needed.
 * @example parseDuration("5s") // 5000
 */
export function parseDuration(text: string): number | null {
  const match = DURATION_PATTERN.exec(text.trim());
  if (match === null) return null;
  const ms = Number(match[1]) * (DURATION_UNIT_MS[match[2] ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : null;
}

/** So many entries, or so many percent of them. */
export type Sample = { readonly entries: number } | { readonly percent: number };

/**
 * A sample of entries, or null when `text` is none.
 * @example parseSample("5%") // { percent: 5 }
 */
export function parseSample(text: string): Sample | null {
  const match = SAMPLE_PATTERN.exec(text);
  const number = Number(match?.[1]);
  if (match?.[2] === "%") return number > 0 && number <= 100 ? { percent: number } : null;
  return Number.isInteger(number) && number > 0 ? { entries: number } : null;
}

/**
 * A size for people, with three significant digits: `1.50 GiB`, `64.0 MiB`, `12 B`.
 * @param bytes a count that is not negative
 */
export function formatSize(bytes: number): string {
  let power = 0;
  let value = bytes;
  while (value >= 1023.5 && power < SIZE_UNITS.length - 1) {
    value /= 1024;
    power += 1;
  }
  if (power === 0) return `${Math.round(value)} B`;
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${SIZE_UNITS[power]}iB`;
}

/** A duration for people: `0.4 s`, `12 s`, `3:05`, `1:02:03`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "--";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
