// How the next look for answers is taken: at once, after a turn of the event loop, or after a
// sleep. Pure: times come in.
//
// A look waits inside the kernel for up to WAIT_US, because a thread that spins takes the CPU away
// from the kernel threads that do the work: measured on two CPUs, spinning cost three quarters of
// the throughput.

import { AWAKE_MS, SLEEP_MS_FIRST, SLEEP_MS_MAX, TURN_MS_MAX } from "./limits.ts";

/** What comes before the next look. */
export type BeforeLook =
  | { readonly kind: "nothing" }
  | { readonly kind: "turn" }
  | { readonly kind: "sleep"; readonly ms: number };

const NOTHING: BeforeLook = { kind: "nothing" };
const TURN: BeforeLook = { kind: "turn" };

export class LookPolicy {
  #activeMs: number;
  #turnMs: number;
  #sleepMs = SLEEP_MS_FIRST;

  constructor(nowMs: number) {
    this.#activeMs = nowMs;
    this.#turnMs = nowMs;
  }

  /** Something was asked or answered. */
  active(nowMs: number): void {
    this.#activeMs = nowMs;
    this.#sleepMs = SLEEP_MS_FIRST;
  }

  /** The event loop ran. */
  turned(nowMs: number): void {
    this.#turnMs = nowMs;
  }

  /** @param answered whether the last look found an answer */
  next(nowMs: number, answered: boolean): BeforeLook {
    if (answered || nowMs - this.#activeMs < AWAKE_MS) {
      return nowMs - this.#turnMs < TURN_MS_MAX ? NOTHING : TURN;
    }
    const ms = this.#sleepMs;
    this.#sleepMs = Math.min(ms * 2, SLEEP_MS_MAX);
    return { kind: "sleep", ms };
  }
}
