// Gives up the thread now and then while data flows without a pause.
//
// Invariant: with synchronous volumes a stream never leaves the microtask queue by itself, so
// timers, network and the other connections of the thread run only because of this.

import type { Clock } from "../runtime/runtime.ts";
import { TURN_MS_MAX } from "./limits.ts";

export class ThreadTurns {
  readonly #clock: Clock;
  #lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  /** Call after each piece of work; undefined means go on. */
  due(nowMs = this.#clock.monotonicMs()): Promise<void> | undefined {
    return nowMs - this.#lastMs < TURN_MS_MAX ? undefined : this.give();
  }

  /** Lets everything else that is ready run. */
  async give(): Promise<void> {
    await this.#clock.yield();
    this.#lastMs = this.#clock.monotonicMs();
  }
}
