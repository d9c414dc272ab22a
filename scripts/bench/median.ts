// Figures of several rounds as one: medians, and ratios taken within each round, since two runs
// that follow each other saw the same machine.

import type { RunFigures } from "./run_pair.ts";

/** The middle of the values; the mean of the two middle ones of an even count; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

export interface Standing {
  readonly bytes_per_second: number;
  readonly cpu_seconds_per_gb: number;
  /** Median of the paired ratios to the baseline of the same round. */
  readonly ratio: number;
}

/** Sums the rounds of one contestant up against those of the baseline. */
export function standingOf(
  rounds: readonly RunFigures[],
  baseline: readonly RunFigures[],
): Standing {
  return {
    bytes_per_second: median(rounds.map((run) => run.bytesPerSecond)),
    cpu_seconds_per_gb: median(rounds.map((run) => run.cpuSecondsPerGigabyte)),
    ratio: median(
      rounds.map((run, round) => run.bytesPerSecond / (baseline[round]?.bytesPerSecond ?? NaN)),
    ),
  };
}
