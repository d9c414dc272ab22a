// One line about a running job: a bar with rate and remaining time. Pure.
//
// All numbers are the daemon's, so the line needs no clock and no timer of its own.

import { formatSeconds, formatSize } from "../config/mod.ts";
import type { Progress } from "../control/mod.ts";
import { count } from "./output.ts";

const BAR_CELLS = 24;
const BAR_CELLS_MIN = 4;
/** Spaces and edges around the bar. */
const BAR_FRAME_LETTERS = 6;
/** Longest phase, "verifying". */
const PHASE_LETTERS = 9;
/** Usual length of the numbers: "123456 files  1.23 GiB  123 MiB/s  12 s left". */
const NUMBERS_LETTERS = 44;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Share that is done, 0 to 1, or null while the total is unknown. */
function doneShare(progress: Progress): number | null {
  const { totalBytes, totalFiles } = progress;
  if (totalBytes !== null && totalBytes > 0) return Math.min(1, progress.bytes / totalBytes);
  if (totalFiles !== null && totalFiles > 0) return Math.min(1, progress.files / totalFiles);
  return null;
}

/** Seconds that are left at the present rate, or null while unknown. */
function remainingSeconds(progress: Progress): number | null {
  const { totalBytes, bytes, bytesPerSecond } = progress;
  if (totalBytes === null || bytesPerSecond <= 0) return null;
  return Math.max(0, totalBytes - bytes) / bytesPerSecond;
}

/** The line with a bar, cut to `columns`. */
export function progressBar(progress: Progress, columns: number): string {
  const share = doneShare(progress);
  const text = numbers(progress);
  const phase = progress.phase.padEnd(PHASE_LETTERS);
  // The bar gives way to the numbers; the margin keeps it from jumping as they grow.
  const room = columns - 1 - phase.length - percent(1).length - NUMBERS_LETTERS - BAR_FRAME_LETTERS;
  const cells = Math.max(BAR_CELLS_MIN, Math.min(BAR_CELLS, room));
  const head = share === null ? phase : `${phase} ${bar(share, cells)} ${percent(share)}`;
  return [...`${head}  ${text}`].slice(0, Math.max(1, columns - 1)).join("");
}

/** The line where there is no terminal. */
export function progressText(progress: Progress): string {
  const share = doneShare(progress);
  const done = share === null ? "" : ` ${percent(share).trim()}`;
  return `${progress.phase}${done}: ${numbers(progress)}`;
}

function numbers(progress: Progress): string {
  if (progress.phase === "queued") return "waits for its turn";
  const left = remainingSeconds(progress);
  const parts = [
    count(progress.files, "file"),
    formatSize(progress.bytes),
    `${formatSize(progress.bytesPerSecond)}/s`,
    left === null ? formatSeconds(progress.seconds) : `${formatSeconds(left)} left`,
  ];
  return parts.join("  ");
}

function bar(share: number, cells: number): string {
  const done = share * cells;
  const full = Math.floor(done);
  const part = EIGHTHS[Math.floor((done - full) * 8)] ?? "";
  return `▕${("█".repeat(full) + part).padEnd(cells)}▏`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5);
}
