// When a write-pending track is due to be written to its device. Pure.
//
// Hosts that use the array as a medium rewrite the same tracks all the time; writing those back
// each time would cost as much as the traffic itself. So age counts from the last write, bounded
// by the age since the track became pending, and by the share of slots that are pending.

import { DESTAGE_HIGH_SHARE, DESTAGE_IDLE_TICKS, DESTAGE_MAX_TICKS } from "./limits.ts";

export interface PendingAge {
  /** Passes of the disk director since the last write. */
  readonly idle: number;
  /** Passes since the track became write pending. */
  readonly total: number;
}

/** True when so many slots are pending that misses will soon find none clean. */
export function isCrowded(writePending: number, slots: number): boolean {
  return writePending > slots * DESTAGE_HIGH_SHARE;
}

export function isDue(age: PendingAge, crowded: boolean): boolean {
  return crowded || age.idle >= DESTAGE_IDLE_TICKS || age.total >= DESTAGE_MAX_TICKS;
}
