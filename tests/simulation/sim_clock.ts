// A clock that only moves when nothing else is left to do: one seed gives one run.
//
// Invariants: timers fire in order of time, then of creation. Between two timers every microtask
// has run. A run that has no timer left and is not finished is a deadlock.

import { setImmediate } from "node:timers";
import type { WaitOptions } from "../../transport/conn.ts";
import { cancellation } from "../../transport/ground/cancellation.ts";
import type { Clock } from "../../transport/runtime/runtime.ts";

/** A turn of the simulated event loop, in ms. */
const TURN_MS = 0.02;

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class SimClock implements Clock {
  readonly #timers: Timer[] = [];
  #nowMs = 1000;
  #order = 0;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  yield(): Promise<void> {
    return this.sleep(TURN_MS);
  }

  sleep(ms: number, options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(cancellation(signal));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#timers.splice(this.#timers.indexOf(timer), 1);
        if (signal !== undefined) reject(cancellation(signal));
      };
      const fire = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const timer = this.#add(ms, fire);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Calls `fire` when `ms` have passed. */
  after(ms: number, fire: () => void): void {
    this.#add(ms, fire);
  }

  /** Runs until `main` settles. @throws when it deadlocks or takes longer than `limitMs` */
  async run<T>(main: Promise<T>, limitMs: number): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    main.then(done, done);
    const endMs = this.#nowMs + limitMs;
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (settled) return await main;
      const timer = this.#timers.shift();
      if (timer === undefined) throw new Error("deadlock: nothing is left to happen");
      if (timer.atMs > endMs) throw new Error(`not finished after ${limitMs} simulated ms`);
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.fire();
    }
  }

  #add(ms: number, fire: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fire };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1]?.atMs ?? 0) > timer.atMs) at--;
    this.#timers.splice(at, 0, timer);
    return timer;
  }
}
