// Aligned memory for requests whose own is not: each costs them a copy.
//
// Invariant: a buffer that was taken is not given to anybody else before it is given back.

import { assert } from "../ground/assert.ts";
import type { DirectIo } from "../runtime/direct_io.ts";
import { BOUNCE_BUFFERS_MAX, BOUNCE_BYTES } from "./limits.ts";

export class BouncePool {
  readonly #directIo: DirectIo;
  readonly #free: Uint8Array[] = [];
  #made = 0;

  constructor(directIo: DirectIo) {
    this.#directIo = directIo;
  }

  /** The start of a buffer, `count` bytes long; null when all are taken. */
  take(count: number): Uint8Array | null {
    assert(count <= BOUNCE_BYTES, "a request fits a bounce buffer");
    const buffer = this.#free.pop() ?? this.#make();
    return buffer === null ? null : buffer.subarray(0, count);
  }

  /** Takes back what `take` gave. */
  give(taken: Uint8Array): void {
    this.#free.push(new Uint8Array(taken.buffer, taken.byteOffset, BOUNCE_BYTES));
  }

  #make(): Uint8Array | null {
    if (this.#made >= BOUNCE_BUFFERS_MAX) return null;
    this.#made += 1;
    return this.#directIo.allocate(BOUNCE_BYTES);
  }
}
