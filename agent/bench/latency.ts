// Percentiles of samples. Pure.

/** The value that `part` (0 to 1) of the samples do not exceed; NaN of none. */
export function quantile(samples: readonly number[] | Float64Array, part: number): number {
  const sorted = Float64Array.from(samples).sort();
  if (sorted.length === 0) return NaN;
  const rank = Math.ceil(part * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] ?? NaN;
}
