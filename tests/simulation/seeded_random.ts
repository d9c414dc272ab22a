// Random numbers of a simulation: every choice of a run comes from one seed.
//
// Invariants: the same seed gives the same numbers under every runtime. A fork has a sequence of
// its own, so that a change in one part of a run (say, its faults) leaves the others as they were.

import type { Random } from "../../transport/runtime/runtime.ts";

export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1) (mulberry32). */
  next(): number {
    return this.word() / 2 ** 32;
  }

  /** 32 random bits. */
  word(): number {
    const state = (this.#state + 0x6d2b79f5) >>> 0;
    this.#state = state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** True in `probability` of the calls. A probability of 0 takes no number. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.word() >>> 24;
    return bytes;
  }

  /** A sequence of its own. */
  fork(): SeededRandom {
    return new SeededRandom(this.word());
  }
}
