// The blocks that all simulated hosts share, and what stood there a short while ago.
//
// Invariant: bytes change only by `land` and `flip`, so the history gives every moment back.

import type { SimClock } from "./sim_clock.ts";

interface Change {
  readonly atMs: number;
  readonly offset: number;
  readonly before: Uint8Array;
}

export class SimMedium {
  readonly bytes: Uint8Array;
  readonly #clock: SimClock;
  readonly #historyMs: number;
  #changes: Change[] = [];

  /** `historyMs`: how far back reads may look. */
  constructor(sizeBytes: number, clock: SimClock, historyMs: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.#clock = clock;
    this.#historyMs = historyMs;
  }

  land(offset: number, from: Uint8Array): void {
    if (this.#historyMs > 0) this.#remember(offset, from.length);
    this.bytes.set(from, offset);
  }

  /** What stood at `offset` at `atMs`. */
  fetch(offset: number, into: Uint8Array, atMs: number): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const change = this.#changes[i];
      if (change === undefined || change.atMs <= atMs) break;
      const start = Math.max(offset, change.offset);
      const end = Math.min(offset + into.length, change.offset + change.before.length);
      if (start >= end) continue;
      const before = change.before.subarray(start - change.offset, end - change.offset);
      into.set(before, start - offset);
    }
  }

  #remember(offset: number, length: number): void {
    const atMs = this.#clock.nowMs;
    const oldest = this.#changes[0];
    if (oldest !== undefined && oldest.atMs < atMs - 2 * this.#historyMs) {
      this.#changes = this.#changes.filter((change) => change.atMs >= atMs - this.#historyMs);
    }
    this.#changes.push({ atMs, offset, before: this.bytes.slice(offset, offset + length) });
  }
}

/** Turns one bit of `bytes`. */
export function flipBit(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}
