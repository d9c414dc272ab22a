// Which slots of our transmit ring are free: pure book-keeping, per volume.
//
// Invariant: the slot that came back last is used first, so that a small window touches few slots
// and the ring stays in the CPU cache.

import { assert } from "../ground/assert.ts";

export class FrameSlots {
  /** By volume: the free slots, the next one last. */
  readonly #free: readonly number[][];
  readonly #slotsPerVolume: number;

  constructor(volumeCount: number, slotsPerVolume: number) {
    this.#slotsPerVolume = slotsPerVolume;
    this.#free = Array.from(
      { length: volumeCount },
      () => Array.from({ length: slotsPerVolume }, (_, index) => slotsPerVolume - 1 - index),
    );
  }

  hasFree(volume: number): boolean {
    return this.#stack(volume).length > 0;
  }

  take(volume: number): number {
    const slot = this.#stack(volume).pop();
    assert(slot !== undefined, "a slot is only taken when one is free");
    return slot;
  }

  give(volume: number, slot: number): void {
    const stack = this.#stack(volume);
    assert(stack.length < this.#slotsPerVolume, "a slot is given back once");
    stack.push(slot);
  }

  #stack(volume: number): number[] {
    const stack = this.#free[volume];
    assert(stack !== undefined, "a frame lies on a volume of the group");
    return stack;
  }
}
