// One line about a running job: a bar with rate and remaining time. Pure.
//
// All numbers are the daemon's, so the line needs no clock and no timer of its own.

import { formatSeconds, formatSize } from "../config/mod.ts";
import type { Progress } from "../control/mod.ts";

const BAR_CELLS = 24;
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
  const head = share === null
    ? progress.phase.padEnd(10)
    : `${progress.phase.padEnd(10)} ${bar(share)} ${percent(share)}`;
  return [...`${head}  ${numbers(progress)}`].slice(0, Math.max(1, columns - 1)).join("");
}

/** The line where there is no terminal. */
export function progressText(progress: Progress): string {
  const share = doneShare(progress);
  const done = share === null ? "" : ` ${percent(share).trim()}`;
  return `${progress.phase}${done}: ${numbers(progress)}`;
}

function numbers(progress: Progress): string {
  const left = remainingSeconds(progress);
  const parts = [
    `${progress.files} files`,
    formatSize(progress.bytes),
    `${formatSize(progress.bytesPerSecond)}/s`,
    left === null ? formatSeconds(progress.seconds) : `${formatSeconds(left)} left`,
  ];
  return parts.join("  ");
}

function bar(share: number): string {
  const cells = share * BAR_CELLS;
  const full = Math.floor(cells);
  const part = EIGHTHS[Math.floor((cells - full) * 8)] ?? "";
  return `▕${("█".repeat(full) + part).padEnd(BAR_CELLS)}▏`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5);
}
