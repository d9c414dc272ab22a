// How to wait for the other host: pure policy. First polls at once, then polls between turns of
// the event loop, then after dozes that leave the processor to others, then after sleeps that
// double up to a cap. Traffic starts the ladder again.
//
// Invariants: the count of polls bounds every step but the last as well as the time, so that a
// clock that stands still (simulation) cannot make them endless.

import {
  BLIND_POLLS_MAX,
  DOZE_MS_MAX,
  DOZE_POLLS_MAX,
  SLEEP_MS_FIRST,
  SLEEP_MS_MAX,
  SPIN_MS_MAX,
  SPIN_POLLS_MAX,
  YIELD_MS_MAX,
  YIELD_POLLS_MAX,
} from "./limits.ts";

/** Count of polls at which the steps end. */
const YIELD_END = SPIN_POLLS_MAX + YIELD_POLLS_MAX;
const DOZE_END = YIELD_END + DOZE_POLLS_MAX;

export type IdleStep = "spin" | "yield" | "doze" | "sleep";

export class IdleLadder {
  /** How long to sleep when `next` said "sleep". */
  sleepMs = SLEEP_MS_FIRST;
  #startedMs = -1;
  #polls = 0;
  #slept = false;
  #idle = false;

  /** Traffic was seen: the next wait starts at the foot. */
  reset(): void {
    this.#startedMs = -1;
    this.#polls = 0;
    this.#slept = false;
    this.#idle = false;
    this.sleepMs = SLEEP_MS_FIRST;
  }

  /** True once the wait is longer than a short spin. */
  get idle(): boolean {
    return this.#idle;
  }

  /** True while the next poll follows at once, whatever the time. */
  blind(): boolean {
    if (this.#polls >= BLIND_POLLS_MAX) return false;
    this.#polls++;
    return true;
  }

  /** What to do before the next poll. */
  next(nowMs: number): IdleStep {
    if (this.#startedMs < 0) this.#startedMs = nowMs;
    const waitedMs = nowMs - this.#startedMs;
    this.#polls++;
    if (this.#polls <= SPIN_POLLS_MAX && waitedMs < SPIN_MS_MAX) return "spin";
    this.#idle = true;
    if (this.#polls <= YIELD_END && waitedMs < YIELD_MS_MAX) return "yield";
    if (this.#polls <= DOZE_END && waitedMs < DOZE_MS_MAX) return "doze";
    if (this.#slept) this.sleepMs = Math.min(this.sleepMs * 2, SLEEP_MS_MAX);
    this.#slept = true;
    return "sleep";
  }
}
