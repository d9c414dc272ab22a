// A clock for tests of time limits: a sleep ends when the test rings for its length, so a limit
// of seconds takes no time. `monotonicMs` counts its calls.

import type { WaitOptions } from "../../../../transport/conn.ts";
import { cancellation } from "../../../../transport/ground/cancellation.ts";
import type { Clock } from "../../../../transport/runtime/runtime.ts";

interface Sleep {
  readonly ms: number;
  readonly wake: () => void;
}

export class HandClock implements Clock {
  readonly #sleeps = new Set<Sleep>();
  readonly #watchers = new Set<() => void>();
  #ticks = 0;

  monotonicMs(): number {
    return ++this.#ticks;
  }

  wallMs(): number {
    return 0;
  }

  doze(): void {}

  yield(): Promise<void> {
    return Promise.resolve();
  }

  sleep(ms: number, { signal }: WaitOptions = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(cancellation(signal));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#sleeps.delete(sleep);
        if (signal !== undefined) reject(cancellation(signal));
      };
      const wake = () => {
        this.#sleeps.delete(sleep);
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const sleep = { ms, wake };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#sleeps.add(sleep);
      for (const look of [...this.#watchers]) look();
    });
  }

  /** Sleeps that nobody ended yet. */
  get sleeping(): readonly number[] {
    return [...this.#sleeps].map((sleep) => sleep.ms);
  }

  /** Waits until `count` sleep for `ms`. */
  async until(ms: number, count: number): Promise<void> {
    while (this.sleeping.filter((one) => one === ms).length < count) await this.#nextSleep();
  }

  /** Waits until somebody sleeps for `ms`, then ends every such sleep. */
  async ring(ms: number): Promise<void> {
    await this.until(ms, 1);
    for (const sleep of [...this.#sleeps]) if (sleep.ms === ms) sleep.wake();
  }

  #nextSleep(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
    });
  }
}
