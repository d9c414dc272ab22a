// Turns counts into progress reports: at most one each PROGRESS_INTERVAL_MS, with the rate over
// the last second or so. Pure: the caller brings the time.

import type { ChannelBytes, Progress } from "../control/daemon.ts";
import { PROGRESS_INTERVAL_MS } from "./limits.ts";

export interface ProgressCounts {
  readonly phase: Progress["phase"];
  readonly files: number;
  readonly bytes: number;
  readonly totalFiles: number | null;
  readonly totalBytes: number | null;
  readonly channels: ChannelBytes;
}

/** Span over which the rate is taken. */
const RATE_WINDOW_MS = 1_000;

export class ProgressMeter {
  readonly #job: string;
  readonly #startMs: number;
  #lastMs = Number.NEGATIVE_INFINITY;
  #samples: { atMs: number; bytes: number }[] = [];

  constructor(job: string, nowMs: number) {
    this.#job = job;
    this.#startMs = nowMs;
    this.#samples.push({ atMs: nowMs, bytes: 0 });
  }

  /** True when the next `report` would give a progress report. */
  due(nowMs: number): boolean {
    return nowMs - this.#lastMs >= PROGRESS_INTERVAL_MS;
  }

  report(counts: ProgressCounts, nowMs: number): Progress {
    this.#lastMs = nowMs;
    this.#samples.push({ atMs: nowMs, bytes: counts.bytes });
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) < nowMs - RATE_WINDOW_MS) {
      this.#samples.shift();
    }
    const first = this.#samples[0] ?? { atMs: nowMs, bytes: counts.bytes };
    const spanMs = nowMs - first.atMs;
    const bytesPerSecond = spanMs > 0 ? (counts.bytes - first.bytes) / spanMs * 1000 : 0;
    return {
      type: "progress",
      job: this.#job,
      ...counts,
      seconds: (nowMs - this.#startMs) / 1000,
      bytesPerSecond: Math.max(0, Math.round(bytesPerSecond)),
    };
  }
}
