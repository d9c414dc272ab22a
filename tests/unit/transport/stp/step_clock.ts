// A clock that the test moves: dead times of seconds take no time, and a stopped process is a jump.
//
// Invariants: timers fire in order of time, then of creation; between two of them everything that
// is ready has run, so what a timer wakes sees its own moment.

import type { WaitOptions } from "../../../../transport/conn.ts";
import { cancellation } from "../../../../transport/ground/cancellation.ts";
import type { Clock } from "../../../../transport/runtime/runtime.ts";

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

export class StepClock implements Clock {
  #timers: Timer[] = [];
  #nowMs = 1000;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  doze(): void {}

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  sleep(ms: number, { signal }: WaitOptions = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(cancellation(signal));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
        if (signal !== undefined) reject(cancellation(signal));
      };
      const fire = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const timer = { atMs: this.#nowMs + Math.max(0, ms), fire };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#timers.push(timer);
      this.#timers.sort((a, b) => a.atMs - b.atMs);
    });
  }

  /** Time moves and nothing runs meanwhile: what happens to a process that is stopped. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  /** Lets `ms` pass: every timer that comes due fires at its moment. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await this.#settle();
      const next = this.#timers[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fire();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** Lets time pass until `wait` is over, at most `limitMs`. */
  async until<T>(wait: Promise<T>, limitMs: number): Promise<T> {
    const endMs = this.#nowMs + limitMs;
    let over = false;
    const note = () => {
      over = true;
    };
    wait.then(note, note);
    for (;;) {
      await this.#settle();
      if (over) return await wait;
      const next = this.#timers[0];
      if (next === undefined || next.atMs > endMs) break;
      await this.pass(Math.max(0, next.atMs - this.#nowMs));
    }
    throw new Error(`not over after ${limitMs} ms`);
  }

  /** A few turns of the event loop: what is ready, and what that makes ready. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await this.yield();
  }
}
