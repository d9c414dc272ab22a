// Whose turn it is among the jobs of a daemon that wait. Pure.
//
// Invariants:
//  1. In order: a job is overtaken only while its source is busy.
//  2. At most `maxRunning` of the jobs that the daemon itself starts run at once. Jobs that a peer
//     started are here because the peer waits for them: they take no turn.
//  3. A source is backed up once at a time, since two backups of the same state cannot both be
//     the next of its line.

/** A job as the queue sees it. */
export interface Turn {
  /** What it backs up; null when it backs up nothing. */
  readonly source: string | null;
}

export interface RunningTurn extends Turn {
  /** False for what a peer started. */
  readonly own: boolean;
}

/** The first of the waiting jobs that may begin now; null when none may. */
export function nextTurn<T extends Turn>(
  waiting: readonly T[],
  { running, maxRunning }: {
    readonly running: readonly RunningTurn[];
    readonly maxRunning: number;
  },
): T | null {
  if (running.filter(({ own }) => own).length >= maxRunning) return null;
  const busy = new Set(running.map(({ source }) => source));
  return waiting.find(({ source }) => source === null || !busy.has(source)) ?? null;
}
