// How to wait for the other host: pure policy. First polls at once, then polls between turns of
// the event loop, then sleeps that double up to a cap. Traffic starts the ladder again.
//
// Invariants: the count of polls bounds the first two steps as well as the time, so that a clock
// that stands still (simulation) cannot make them endless.

import {
  SLEEP_MS_FIRST,
  SLEEP_MS_MAX,
  SPIN_MS_MAX,
  SPIN_POLLS_MAX,
  YIELD_MS_MAX,
  YIELD_POLLS_MAX,
} from "./limits.ts";

export type IdleStep = "spin" | "yield" | "sleep";

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

  /** What to do before the next poll. */
  next(nowMs: number): IdleStep {
    if (this.#startedMs < 0) this.#startedMs = nowMs;
    const waitedMs = nowMs - this.#startedMs;
    this.#polls++;
    if (this.#polls <= SPIN_POLLS_MAX && waitedMs < SPIN_MS_MAX) return "spin";
    this.#idle = true;
    if (this.#polls <= SPIN_POLLS_MAX + YIELD_POLLS_MAX && waitedMs < YIELD_MS_MAX) return "yield";
    if (this.#slept) this.sleepMs = Math.min(this.sleepMs * 2, SLEEP_MS_MAX);
    this.#slept = true;
    return "sleep";
  }
}
