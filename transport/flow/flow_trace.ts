// The trace of a connection flow: which numbered step of Fig. 4, 4A or 5 happened when, on which
// side, with which arguments. A step is recorded when it is done, so the order of the records is
// the order of events on that side; the two sides' clocks are never compared.

import type { Address } from "../conn.ts";
import type { Clock } from "../runtime/runtime.ts";

export type Figure = "4" | "4A" | "5";
export type Side = "server" | "client";

/** One step as it happened. */
export interface FlowStep {
  readonly figure: Figure;
  readonly side: Side;
  /** The figure's number, "196A" too; "" for what the figure does but does not number. */
  readonly step: string;
  /** The call with its arguments, e.g. `socket(AF_INET, STREAM, TCP) = 3`. */
  readonly call: string;
  /** Milliseconds since the first step of this trace, by this side's monotonic clock. */
  readonly atMs: number;
  /** True when the step was left out because the job took another way; `call` says why. */
  readonly skipped: boolean;
}

/** Where a flow reports its steps; a job's worker posts them to the main thread. */
export interface Tracer {
  done(figure: Figure, step: string, call: string): void;
  /** A step that was left out because the job took another way. */
  skipped(figure: Figure, step: string, why: string): void;
}

/** Stamps steps with the time and hands each on as it happens. */
export class FlowTrace implements Tracer {
  readonly #side: Side;
  readonly #clock: Clock;
  readonly #onStep: (step: FlowStep) => void;
  readonly #startMs: number;

  /** `sinceMs`: how long ago the trace began, when another thread recorded its first steps. */
  constructor(side: Side, clock: Clock, onStep: (step: FlowStep) => void, sinceMs = 0) {
    this.#side = side;
    this.#clock = clock;
    this.#onStep = onStep;
    this.#startMs = clock.monotonicMs() - sinceMs;
  }

  done(figure: Figure, step: string, call: string): void {
    this.#record(figure, step, call, false);
  }

  skipped(figure: Figure, step: string, why: string): void {
    this.#record(figure, step, why, true);
  }

  #record(figure: Figure, step: string, call: string, skipped: boolean): void {
    const atMs = this.#clock.monotonicMs() - this.#startMs;
    this.#onStep({ figure, side: this.#side, step, call, atMs, skipped });
  }
}

/** An address as a trace shows it. */
export function showAddress(address: Address): string {
  if (address.family === "AF_STP") return `${address.stg}:${address.host}:${address.port}`;
  return `${address.address}:${address.port}`;
}
