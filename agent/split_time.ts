// A time in nanoseconds as the seconds and the rest of which formats and tables are made. Pure.

const NS_PER_SECOND = 1_000_000_000n;

export interface SplitTime {
  /** Since 1970, rounded down. Exact if it is a safe integer. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** The seconds of a split time beyond what a number holds. */
export function exactSeconds(timeNs: bigint, { nanoseconds }: SplitTime): bigint {
  return (timeNs - BigInt(nanoseconds)) / NS_PER_SECOND;
}

export function splitTime(timeNs: bigint): SplitTime {
  const seconds = timeNs / NS_PER_SECOND;
  const rest = Number(timeNs - seconds * NS_PER_SECOND);
  if (rest >= 0) return { seconds: Number(seconds), nanoseconds: rest };
  return { seconds: Number(seconds) - 1, nanoseconds: rest + 1e9 };
}
