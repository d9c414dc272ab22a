// A shared medium that does what real ones do: operations take time, reads and writes tear, reads
// return old bytes, writes get lost, bits flip. All by the seed.
//
// Invariant: with every probability at zero it keeps the volume contract.

import { assert } from "../../transport/ground/assert.ts";
import type { Completion, Volume } from "../../transport/volume.ts";
import type { SimClock } from "./sim_clock.ts";

/** Probabilities per operation. */
export interface SimFaults {
  readonly torn: number;
  readonly stale: number;
  readonly lost: number;
  readonly flipped: number;
}

export const NO_FAULTS: SimFaults = { torn: 0, stale: 0, lost: 0, flipped: 0 };

/** How old a stale read may be, in ms. */
const STALE_MS = 2;
const LATENCY_MS = 0.2;
const UNIT = 512;

interface Change {
  readonly atMs: number;
  readonly offset: number;
  readonly before: Uint8Array;
}

export class SimMedium {
  faults = NO_FAULTS;
  readonly bytes: Uint8Array;
  readonly clock: SimClock;
  /** Numbers in [0, 1). */
  readonly chance: () => number;
  #changes: Change[] = [];

  constructor(sizeBytes: number, clock: SimClock, chance: () => number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.clock = clock;
    this.chance = chance;
  }

  apply(offset: number, from: Uint8Array): void {
    const atMs = this.clock.monotonicMs();
    this.#changes = this.#changes.filter((change) => change.atMs > atMs - STALE_MS);
    this.#changes.push({ atMs, offset, before: this.bytes.slice(offset, offset + from.length) });
    this.bytes.set(from, offset);
  }

  /** What stood at `offset` at `sinceMs`. */
  fetch(offset: number, into: Uint8Array, sinceMs: number): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
    for (const change of this.#changes.toReversed()) {
      if (change.atMs <= sinceMs) break;
      const start = Math.max(offset, change.offset);
      const end = Math.min(offset + into.length, change.offset + change.before.length);
      if (start >= end) continue;
      into.set(
        change.before.subarray(start - change.offset, end - change.offset),
        start - offset,
      );
    }
  }
}

/** One host's handle on a medium. A crashed host's handle never completes anything again. */
export class SimVolume implements Volume {
  crashed = false;
  readonly name: string;
  readonly blockBytes = UNIT;
  readonly #medium: SimMedium;

  constructor(medium: SimMedium, name: string) {
    this.#medium = medium;
    this.name = name;
  }

  get sizeBytes(): number {
    return this.#medium.bytes.length;
  }

  read(offsetBytes: number, into: Uint8Array): Completion {
    this.#check(offsetBytes, into);
    const { clock, chance, faults } = this.#medium;
    const stale = chance() < faults.stale;
    return this.#inParts(into, faults.torn, (start, end) => {
      const sinceMs = stale ? clock.monotonicMs() - chance() * STALE_MS : Infinity;
      this.#medium.fetch(offsetBytes + start, into.subarray(start, end), sinceMs);
    });
  }

  write(offsetBytes: number, from: Uint8Array): Completion {
    this.#check(offsetBytes, from);
    const { chance, faults } = this.#medium;
    const image = from.slice();
    if (chance() < faults.flipped) {
      const bit = Math.floor(chance() * image.length * 8);
      image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    const lost = chance() < faults.lost;
    return this.#inParts(image, faults.torn, (start, end) => {
      if (!lost) this.#medium.apply(offsetBytes + start, image.subarray(start, end));
    });
  }

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  close(): void {}

  #check(offsetBytes: number, buffer: Uint8Array): void {
    assert(offsetBytes % UNIT === 0 && buffer.length % UNIT === 0, "whole blocks");
    assert(offsetBytes + buffer.length <= this.sizeBytes, "inside the volume");
  }

  /** Performs the operation in one part or, torn, in several at different times, in any order. */
  async #inParts(
    buffer: Uint8Array,
    torn: number,
    perform: (start: number, end: number) => void,
  ): Promise<void> {
    const { clock, chance } = this.#medium;
    const units = buffer.length / UNIT;
    const count = chance() < torn ? Math.min(units, 4) : 1;
    const cuts = Array.from({ length: count + 1 }, (_, i) => Math.floor(units * i / count) * UNIT);
    const parts = cuts.slice(0, count).map((start, i) => ({ start, end: cuts[i + 1] ?? 0 }));
    while (parts.length > 0) {
      const [part] = parts.splice(Math.floor(chance() * parts.length), 1);
      assert(part !== undefined, "a part is left");
      await clock.sleep(chance() * LATENCY_MS);
      // A write under way when its host crashed may still land, or not.
      if (this.crashed && chance() < 0.5) continue;
      perform(part.start, part.end);
    }
    if (this.crashed) await new Promise<never>(() => {});
  }
}
