// Gives up the thread now and then while data flows without a pause, and the processor while all
// connections of the thread wait.
//
// Invariant: with synchronous volumes a stream never leaves the microtask queue by itself, so
// timers, network and the other connections of the thread run only because of this.

import type { Clock } from "../runtime/runtime.ts";
import { DOZE_MS, TURN_MS_MAX } from "./limits.ts";

export class ThreadTurns {
  readonly #clock: Clock;
  #lastMs: number;
  /** Connections that take turns, and how often one waited since one of them worked. */
  #connections = 0;
  #waits = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  join(): void {
    this.#connections++;
  }

  leave(): void {
    this.#connections--;
  }

  /** Call after each piece of work; undefined means go on. */
  due(nowMs = this.#clock.monotonicMs()): Promise<void> | undefined {
    this.#waits = 0;
    return nowMs - this.#lastMs < TURN_MS_MAX ? undefined : this.give();
  }

  /** For one that waits: leaves the processor to other processes once all of the thread wait. */
  doze(): Promise<void> {
    this.#waits++;
    if (this.#waits >= this.#connections) {
      this.#waits = 0;
      this.#clock.doze(DOZE_MS);
    }
    return this.give();
  }

  /** Lets everything else that is ready run. */
  async give(): Promise<void> {
    await this.#clock.yield();
    this.#lastMs = this.#clock.monotonicMs();
  }
}
