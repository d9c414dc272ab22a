// One process of a simulated host: its clock, and its pauses and its death.
//
// Invariants: a stopped process takes no step, but time goes on for it and what became due
// meanwhile is delivered, in order, when it continues (SIGSTOP, SIGCONT). A crashed process never
// takes a step again (SIGKILL).

import type { WaitOptions } from "../../transport/conn.ts";
import { cancellation } from "../../transport/ground/cancellation.ts";
import type { Clock } from "../../transport/runtime/runtime.ts";
import type { SimClock } from "./sim_clock.ts";

export type ProcessState = "running" | "stopped" | "crashed";

export class SimProcess implements Clock {
  readonly name: string;
  /** Settles when the process crashes. */
  readonly gone: Promise<void>;
  readonly #clock: SimClock;
  readonly #turnMs: number;
  readonly #due: (() => void)[] = [];
  #state: ProcessState = "running";
  #onGone: () => void = () => {};
  #continuedMs = 0;

  /** `turnMs`: what one turn of its event loop takes. */
  constructor(name: string, clock: SimClock, turnMs: number) {
    this.name = name;
    this.#clock = clock;
    this.#turnMs = turnMs;
    this.gone = new Promise((resolve) => this.#onGone = resolve);
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** When it last went on after a stop; now while it is stopped. */
  get continuedMs(): number {
    return this.#state === "stopped" ? this.#clock.nowMs : this.#continuedMs;
  }

  monotonicMs(): number {
    return this.#clock.look();
  }

  wallMs(): number {
    return this.#clock.look();
  }

  doze(): void {}

  yield(): Promise<void> {
    return this.sleep(this.#turnMs);
  }

  sleep(ms: number, options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(cancellation(signal));
    return new Promise((resolve, reject) => {
      let over = false;
      const onAbort = () => {
        over = true;
        this.#clock.cancel(timer);
        if (signal !== undefined) reject(cancellation(signal));
      };
      const timer = this.#clock.after(ms, () =>
        this.deliver(() => {
          if (over) return;
          signal?.removeEventListener("abort", onAbort);
          resolve();
        }));
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Lets the process take a step: now, when it continues, or never. */
  deliver(step: () => void): void {
    if (this.#state === "running" && this.#due.length === 0) step();
    else if (this.#state !== "crashed") this.#due.push(step);
  }

  stop(): void {
    if (this.#state === "running") this.#state = "stopped";
  }

  continue(): void {
    if (this.#state !== "stopped") return;
    this.#state = "running";
    this.#continuedMs = this.#clock.nowMs;
    this.#next();
  }

  crash(): void {
    this.#state = "crashed";
    this.#due.length = 0;
    this.#onGone();
  }

  /** What became due while it was stopped: one step at a time, each with its microtasks. */
  #next(): void {
    if (this.#state !== "running") return;
    const step = this.#due.shift();
    if (step === undefined) return;
    step();
    if (this.#due.length > 0) this.#clock.after(0, () => this.#next());
  }
}
