// Wrong tokens by the address that sent them: after a few, an address has to wait. A right token
// counts for nothing meanwhile, else the wait would not slow a guesser down.

import type { Clock } from "../../transport/runtime/runtime.ts";
import { FAILURE_ADDRESSES_MAX, FAILURE_REFILL_MS, FAILURES_MAX } from "./limits.ts";

interface Failures {
  readonly count: number;
  readonly atMs: number;
}

export class Attempts {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Milliseconds that the address has to wait before its next attempt is looked at. */
  waitMs(address: string): number {
    const excess = this.#countOf(address) - (FAILURES_MAX - 1);
    return Math.max(0, excess * FAILURE_REFILL_MS);
  }

  fail(address: string): void {
    const count = Math.min(FAILURES_MAX, this.#countOf(address) + 1);
    this.#failures.delete(address);
    const { value: oldest } = this.#failures.keys().next();
    if (this.#failures.size >= FAILURE_ADDRESSES_MAX && oldest !== undefined) {
      this.#failures.delete(oldest);
    }
    this.#failures.set(address, { count, atMs: this.#clock.monotonicMs() });
  }

  /** Failures that still count: fewer with time, so rarely a whole number. */
  #countOf(address: string): number {
    const found = this.#failures.get(address);
    if (found === undefined) return 0;
    const forgiven = (this.#clock.monotonicMs() - found.atMs) / FAILURE_REFILL_MS;
    return Math.max(0, found.count - forgiven);
  }
}
