// Which faults a simulated run has, how often and for how long.
//
// Invariants: faults stop at `stopMs`, so that every run can come to an end. A recoverable class
// loses nothing that the protocol cannot put right: a run with only such classes must complete
// every stream. A harmful one may end connections, with a reason; it never may falsify them.

import type { SeededRandom } from "./seeded_random.ts";

/** Of single operations, unless said otherwise. */
export const RECOVERABLE = [
  "reorder", // operations complete in another order than they were started
  "delay", // an operation takes long; a synchronous write shows after it returned
  "torn_write", // the sectors of a write show in any order, at different times
  "torn_read", // the sectors of a read are of different moments
  "lost", // a write is acknowledged and never lands
  "duplicate", // a write lands twice, the second time over what came after it
  "stale", // a read returns what stood there some time ago
  "flip_medium", // a bit of a write lands wrong, or turns later
  "flip_transit", // a bit of a read arrives wrong
  "slow_volume", // one volume is slower than the others
  "pause_short", // a process is stopped, for less than half of the dead time
] as const;

export const HARMFUL = [
  "late", // a write fails and lands later, perhaps when its place is used again
  "io_error", // an operation fails
  "dead_volume", // from some moment on one volume fails, for one host or for all
  "pause_long", // a process is stopped for longer than the dead time
  "crash", // a process is killed and started again
  "kill_worker", // the worker of a daemon dies, the daemon ends what it left and starts another
  "rival", // another process claims the id of a host that runs
] as const;

export const FAULT_CLASSES = [...RECOVERABLE, ...HARMFUL] as const;
export type FaultClass = typeof FAULT_CLASSES[number];

export interface FaultPlan {
  readonly classes: ReadonlySet<FaultClass>;
  /** Probability per operation, for each class that strikes single operations. */
  readonly rate: number;
  /** Simulated time at which faults stop. */
  readonly stopMs: number;
}

/** How far a fault reaches, in ms of simulated time. */
export const REACH = {
  reorderMs: 8,
  delayMs: 20,
  tornMs: 3,
  /** The second landing of a duplicated write. */
  duplicateMs: 400,
  /** When a write that failed lands: within the time that quarantine covers. */
  lateMs: 1500,
  staleMs: 5,
} as const;

const RATES = [0.003, 0.01, 0.03, 0.1] as const;

export function isFaultClass(name: string): name is FaultClass {
  return FAULT_CLASSES.some((known) => known === name);
}

export function isRecoverable(plan: FaultPlan): boolean {
  return HARMFUL.every((harmful) => !plan.classes.has(harmful));
}

/** Up to four classes by the seed, or exactly those that are named. */
export function planFaults(
  random: SeededRandom,
  startMs: number,
  only: readonly FaultClass[] | undefined,
): FaultPlan {
  const rate = random.pick(RATES);
  const stopMs = startMs + random.between(1000, 6000);
  const count = random.below(5);
  const drawn: FaultClass[] = [];
  for (let i = 0; i < count; i++) {
    // Most runs keep their hosts and volumes, so that most streams run to their end.
    drawn.push(random.chance(0.75) ? random.pick(RECOVERABLE) : random.pick(HARMFUL));
  }
  return { classes: new Set(only ?? drawn), rate, stopMs };
}

/** Classes under which a read gives back what was written. */
const KEEPS: ReadonlySet<FaultClass> = new Set(
  ["slow_volume", "pause_short", "pause_long", "crash", "kill_worker", "rival"] as const,
);

/** Rolls the dice for single operations. */
export class FaultInjector {
  readonly plan: FaultPlan;
  readonly random: SeededRandom;
  readonly #now: () => number;
  /** False while a run is set up. */
  armed = false;
  /** Unit of torn reads and writes: a sector of a disk, or a word of memory. */
  readonly tearBytes: number;
  /** Synchronous volumes are memory, which keeps what it took: only where no fault says otherwise. */
  readonly retains: boolean;
  /** Of the class `slow_volume`. */
  readonly slowVolume: number;
  /** Volume index -> name of the host that lost it, or "" for all. */
  readonly dead = new Map<number, string>();

  constructor(
    plan: FaultPlan,
    random: SeededRandom,
    options: { readonly now: () => number; readonly volumeCount: number },
  ) {
    this.plan = plan;
    this.random = random;
    this.#now = options.now;
    this.slowVolume = random.below(options.volumeCount);
    this.retains = random.chance(0.5) && [...plan.classes].every((fault) => KEEPS.has(fault));
    this.tearBytes = random.pick([8, 512]);
  }

  active(fault: FaultClass): boolean {
    return this.armed && this.plan.classes.has(fault) && this.#now() < this.plan.stopMs;
  }

  strikes(fault: FaultClass): boolean {
    return this.active(fault) && this.random.chance(this.plan.rate);
  }

  isDead(volumeIndex: number, hostName: string): boolean {
    const host = this.dead.get(volumeIndex);
    return host === "" || host === hostName;
  }
}
