// The frames that are being compressed, or decompressed, on other threads: begun in order, taken in
// order, a bounded count at once, so that memory is bounded too.

import { assert } from "../../transport/ground/assert.ts";

export class FramesInWork<T> {
  readonly #max: number;
  readonly #works: Promise<T>[] = [];

  /** @param max works at once */
  constructor(max: number) {
    this.#max = max;
  }

  /** True when the oldest is to be taken before another is begun. */
  get isFull(): boolean {
    return this.#works.length >= this.#max;
  }

  get isEmpty(): boolean {
    return this.#works.length === 0;
  }

  /** Adds what was begun. */
  add(work: Promise<T>): void {
    assert(!this.isFull, "the oldest work is taken before another is begun");
    work.catch(() => {}); // Heard when its turn comes, or by nobody when the job fails before.
    this.#works.push(work);
  }

  /** The result of the oldest. @throws what that work throws */
  take(): Promise<T> {
    const oldest = this.#works.shift();
    assert(oldest !== undefined, "there is work to take");
    return oldest;
  }
}
