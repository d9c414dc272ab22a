// How long the storage transport waits for what; one value per group, handed in for tests.
//
// Invariants:
//  1. A host is never judged dead by fewer than three missed heartbeats.
//  2. The quarantine outlasts the dead time: by then a host that was cut off writes no more.
//  3. Silence is no shorter than the dead time: a host that is dead is called dead.
//  4. No wait for the storage is shorter than the dead time: who sets it above what failover takes
//     keeps the connections through one. `healMs` covers many requests for a frame (the first after
//     20 ms) and the peer's failover: what it writes again waits for that.

import { assert } from "../ground/assert.ts";

/** All in milliseconds. */
export interface StpTiming {
  /** Between two heartbeats of a host. */
  readonly heartbeatMs: number;
  /** A host whose counter stands still this long is dead; published in its host block. */
  readonly deadMs: number;
  /** Between writing a claim and reading it back: a second claimer's write lands within it. */
  readonly settleMs: number;
  /** A waiting connection looks at its peer's host block after this long, and again. */
  readonly watchMs: number;
  /** A frame or control block that does not verify may take this long to become good. */
  readonly healMs: number;
  /**
   * A connection whose peer publishes nothing for so long is over, though its host lives: its
   * worker was killed, and a write that landed late hid its end. Each end publishes every
   * `watchMs`, so this only has to outlast what a worker does at one go: the copy of an SQLite
   * database, half a terabyte in an hour.
   */
  readonly silentMs: number;
  /** `close` waits this long without progress for the peer to read what was written. */
  readonly lingerMs: number;
  /** Of that, how long it waits for the peer to see the end when it took every byte. */
  readonly finMs: number;
  /** A request to a volume that is not answered for so long fails; it may still land. */
  readonly ioTimeoutMs: number;
  /**
   * An endpoint with a write whose end is not known is not used again for so long: the write may
   * still land.
   */
  readonly quarantineMs: number;
}

/**
 * The least that a request to a volume may take. Path failover of multipath disks and recovery of
 * iSCSI sessions take 5 to 20 s.
 */
const IO_TIMEOUT_MS_MIN = 30_000;
const HEAL_MS_MIN = 10_000;

const DEFAULT_TIMING: Omit<StpTiming, "quarantineMs" | "healMs" | "ioTimeoutMs"> = {
  heartbeatMs: 1000,
  deadMs: 10_000,
  settleMs: 50,
  watchMs: 1000,
  silentMs: 3_600_000,
  lingerMs: 5000,
  finMs: 200,
};

/** The defaults with `changes` over them. */
export function stpTiming(changes: Partial<StpTiming> = {}): StpTiming {
  const chosen = { ...DEFAULT_TIMING, ...changes };
  const { deadMs } = chosen;
  const ioTimeoutMs = Math.max(changes.ioTimeoutMs ?? IO_TIMEOUT_MS_MIN, deadMs);
  const quarantineMs = Math.max(changes.quarantineMs ?? ioTimeoutMs + deadMs, deadMs);
  const silentMs = Math.max(chosen.silentMs, deadMs);
  const healMs = changes.healMs ?? Math.max(HEAL_MS_MIN, deadMs);
  const timing = { ...chosen, ioTimeoutMs, quarantineMs, silentMs, healMs };
  assert(timing.deadMs >= 3 * timing.heartbeatMs, "the dead time covers three heartbeats");
  assert(timing.watchMs < timing.deadMs, "a peer is looked at within the dead time");
  return timing;
}

/** How long to watch a counter before a host that does not beat is taken for gone. */
export function watchWindowMs(timing: StpTiming): number {
  return timing.heartbeatMs * 2.5;
}

/**
 * A host whose beat is later than this writes no more: the rest of the dead time, after which
 * others take its id, is for what is under way. The main thread and the workers' fences judge by
 * the same value: a host never beats on whose workers gave up.
 */
export function lateBeatMs(timing: StpTiming): number {
  return timing.deadMs * 3 / 4;
}
