// How the connections of a thread share it: one that waits lets the others go on between its polls;
// while data flows without a pause the thread is given up now and then, and while all of them wait
// the processor is.
//
// Invariant: with synchronous volumes a stream never leaves the microtask queue by itself, so
// timers, network and the other connections of the thread run only because of this.

import type { Clock } from "../runtime/runtime.ts";
import { DOZE_MS, TURN_MS_MAX } from "./limits.ts";

const PASSED = Promise.resolve();

export class ThreadTurns {
  readonly #clock: Clock;
  #lastMs: number;
  /** Connections that take turns, and how often one waited since one of them worked. */
  #connections = 0;
  #waits = 0;
  #works = 0;
  #giving: Promise<void> | undefined;

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

  /** Pieces of work so far: one that waits sees by it whether others of the thread work. */
  get works(): number {
    return this.#works;
  }

  /**
   * Call after each piece of work; undefined means go on.
   * @param given the volume is asynchronous and gives up the thread itself
   */
  due(nowMs = this.#clock.monotonicMs(), given = false): Promise<void> | undefined {
    this.#waits = 0;
    this.#works++;
    return given || nowMs - this.#lastMs < TURN_MS_MAX ? undefined : this.give();
  }

  /** Between two polls of one that waits: the others work meanwhile; undefined without others. */
  pass(): Promise<void> | undefined {
    return this.#connections > 1 ? PASSED : undefined;
  }

  /** For one that waits: leaves the processor to other processes once all of the thread wait. */
  doze(): Promise<void> {
    this.#doze();
    return this.give();
  }

  /**
   * The same between two requests to an asynchronous volume, which gives up the thread itself. Each
   * takes the processor and the device from who moves data; one behind own writes that are under
   * way waits long enough in the queue.
   */
  rest(writesUnderWay = false): Promise<void> | undefined {
    if (!writesUnderWay) this.#doze();
    return this.pass();
  }

  #doze(): void {
    this.#waits++;
    if (this.#waits < this.#connections) return;
    this.#waits = 0;
    this.#clock.doze(DOZE_MS);
  }

  /** Lets everything else that is ready run; once for all that ask meanwhile. */
  give(): Promise<void> {
    return this.#giving ??= this.#give();
  }

  async #give(): Promise<void> {
    await this.#clock.yield();
    this.#giving = undefined;
    this.#lastMs = this.#clock.monotonicMs();
  }
}
