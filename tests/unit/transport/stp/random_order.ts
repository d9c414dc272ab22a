// Lets the operations of asynchronous volumes complete in random order, one per turn of the event
// loop, and counts how many are under way.

import type { Clock } from "../../../../transport/runtime/runtime.ts";

export class RandomOrder {
  /** Most operations that were under way at once, of those that `counts` says. */
  most = 0;
  readonly #clock: Clock;
  readonly #chance: () => number;
  readonly #counts: (lengthBytes: number) => boolean;
  readonly #waiting: { readonly lengthBytes: number; readonly release: () => void }[] = [];
  #pumping = false;

  constructor(
    clock: Clock,
    chance: () => number,
    counts: (lengthBytes: number) => boolean = () => true,
  ) {
    this.#clock = clock;
    this.#chance = chance;
    this.#counts = counts;
  }

  /** For `MemoryMedium.delay`. */
  readonly delay = (_offsetBytes: number, lengthBytes: number): Promise<void> => {
    const done = new Promise<void>((release) => this.#waiting.push({ lengthBytes, release }));
    const under = this.#waiting.filter((one) => this.#counts(one.lengthBytes)).length;
    this.most = Math.max(this.most, under);
    if (!this.#pumping) this.#pump();
    return done;
  };

  async #pump(): Promise<void> {
    this.#pumping = true;
    while (this.#waiting.length > 0) {
      await this.#clock.yield();
      const [next] = this.#waiting.splice(Math.floor(this.#chance() * this.#waiting.length), 1);
      next?.release();
    }
    this.#pumping = false;
  }
}
