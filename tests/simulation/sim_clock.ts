// The time of a simulated run: it moves when nothing else is left to do, and a little with each
// look at it, so that code that waits by looking comes to an end.
//
// Invariants: timers fire in order of time, then of creation. Between two timers every microtask
// has run. A run that has no timer left and is not finished is a deadlock.

import { setImmediate } from "node:timers";

/** What a look at the clock costs, in ms: about a poll of a control block. */
const LOOK_MS = 0.004;

/** Timers that may be waiting at once: more is a loop that starts timers without end. */
const TIMERS_MAX = 10_000;

export interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class SimClock {
  readonly #timers: Timer[] = [];
  #nowMs = 1000;
  #order = 0;
  #steps = 0;

  /** Now, without the cost of a look. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Steps so far: timers that fired. */
  get steps(): number {
    return this.#steps;
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /** Now, as a program sees it. */
  look(): number {
    return this.#nowMs += LOOK_MS;
  }

  /** Lets time pass inside a step, as a synchronous operation does. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }

  after(ms: number, fire: () => void): Timer {
    if (this.#timers.length >= TIMERS_MAX) throw new Error("too many timers");
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fire };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1]?.atMs ?? 0) > timer.atMs) at--;
    this.#timers.splice(at, 0, timer);
    return timer;
  }

  cancel(timer: Timer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }

  /**
   * Runs until `main` settles; after each step `check` may throw.
   * @throws when it deadlocks or is not finished at `limitMs`
   */
  async run<T>(main: Promise<T>, options: RunOptions): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    main.then(done, done);
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      options.check();
      if (settled) return await main;
      const timer = this.#timers.shift();
      if (timer === undefined) throw new Error("deadlock: nothing is left to happen");
      const limitMs = options.limitMs();
      if (timer.atMs > limitMs) {
        throw new Error(`not finished at ${Math.round(limitMs)} simulated ms`);
      }
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      this.#steps++;
      timer.fire();
    }
  }
}

export interface RunOptions {
  /** Simulated time by which `main` must have settled. */
  readonly limitMs: () => number;
  readonly check: () => void;
}
