// What the two ends of one simulated connection do: how much they send, in which pieces, and how
// they end.
//
// Invariant: a plan is drawn before the connection opens, so both ends know it and it does not
// depend on what happens.

import type { SeededRandom } from "./seeded_random.ts";

/** How an end leaves. */
export type Leave =
  | "ends" // sends all, ends its direction, reads to the end, closes
  | "confirms" // the same, but ends its direction only after it has read to the end
  | "aborts" // at some moment
  | "closes"; // at some moment, perhaps with bytes unread

export interface EndPlan {
  readonly bytes: number;
  /** Longest piece that it writes at once. */
  readonly writeMax: number;
  readonly readMax: number;
  readonly leave: Leave;
  /** After the start, for those that leave at some moment. */
  readonly leaveMs: number;
  /** Probability to rest before a write or read, and for how long at most. */
  readonly restRate: number;
  readonly restMs: number;
  /** Probability that a wait is cancelled and made again. */
  readonly cancelRate: number;
}

export interface SessionPlan {
  readonly key: number;
  readonly connector: EndPlan;
  readonly listener: EndPlan;
}

const SIZES = [0, 1, 500, 5000, 40_000, 150_000, 400_000, 1_200_000] as const;
const PIECES = [1, 700, 4096, 40_000, 70_000, 300_000] as const;

export function planSession(random: SeededRandom, graceful: boolean): SessionPlan {
  const connector = planEnd(random, graceful);
  const listener = planEnd(random, graceful);
  // Two ends that both wait for the other's end would wait for ever: that is no fault of ours.
  const both = connector.leave === "confirms" && listener.leave === "confirms";
  return {
    key: random.word(),
    connector,
    listener: both ? { ...listener, leave: "ends" } : listener,
  };
}

function planEnd(random: SeededRandom, graceful: boolean): EndPlan {
  const size = random.pick(SIZES);
  const bytes = size < 2 ? size : 1 + random.below(size);
  const quick = random.chance(0.5);
  const few = random.pick(PIECES);
  return {
    bytes,
    // Not thousands of calls: a run is short.
    writeMax: Math.max(few, Math.ceil(bytes / 80)),
    readMax: Math.max(random.pick(PIECES), 12_000),
    leave: random.chance(graceful ? 0 : 0.3)
      ? random.pick(["aborts", "closes"])
      : random.pick(["ends", "ends", "confirms"]),
    leaveMs: random.next() ** 3 * 800,
    restRate: quick ? 0 : 0.1,
    restMs: 120,
    cancelRate: random.chance(0.2) ? 0.1 : 0,
  };
}
