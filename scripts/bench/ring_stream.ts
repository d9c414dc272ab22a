// The ceiling: two bare rings in a shared memory file, one per direction, without frames, sockets
// or the array; with or without a CRC-32 of each slot, computed at one end, checked at the other.
//
// Layout of one direction: producer cursor at 0, consumer cursor at 64 (slots, modulo 2^32; one
// cache line each), from 128 for each slot its length and CRC (u32 each), from 4096 the slots.

import { crc32 } from "node:zlib";
import type { ByteStream } from "../../agent/bench/mod.ts";
import type { Clock, SharedMemory } from "../../transport/runtime/runtime.ts";
import { CHUNK_BYTES, RING_SLOTS } from "./limits.ts";

const PRODUCER = 0;
const CONSUMER = 64;
const SLOT_HEADS = 128;
const SLOTS = 4096;
const DIRECTION_BYTES = SLOTS + RING_SLOTS * CHUNK_BYTES;

/** Reads of a cursor before the thread gives way to others. */
const SPINS = 2000;

export const RING_FILE_BYTES = 2 * DIRECTION_BYTES;

export interface RingOptions {
  readonly memory: SharedMemory;
  readonly clock: Pick<Clock, "yield">;
  readonly side: "sink" | "source";
  readonly checked: boolean;
}

export class RingStream implements ByteStream {
  readonly #memory: SharedMemory;
  readonly #clock: Pick<Clock, "yield">;
  readonly #checked: boolean;
  readonly #out: number;
  readonly #in: number;
  /** What is left of the slot that is being read. */
  readonly #slot = new Uint8Array(CHUNK_BYTES);
  #rest: Uint8Array = new Uint8Array(0);

  constructor({ memory, clock, side, checked }: RingOptions) {
    this.#memory = memory;
    this.#clock = clock;
    this.#checked = checked;
    this.#out = side === "source" ? 0 : DIRECTION_BYTES;
    this.#in = side === "source" ? DIRECTION_BYTES : 0;
  }

  async write(from: Uint8Array): Promise<number> {
    const memory = this.#memory;
    const base = this.#out;
    const part = from.length > CHUNK_BYTES ? from.subarray(0, CHUNK_BYTES) : from;
    const producer = memory.load32(base + PRODUCER) >>> 0;
    const isFree = () => ((producer - memory.load32(base + CONSUMER)) >>> 0) < RING_SLOTS;
    if (!isFree()) await this.#until(isFree);
    const slot = producer % RING_SLOTS;
    memory.write(base + SLOTS + slot * CHUNK_BYTES, part);
    memory.store32(base + SLOT_HEADS + slot * 8, part.length);
    if (this.#checked) memory.store32(base + SLOT_HEADS + slot * 8 + 4, crc32(part) | 0);
    memory.store32(base + PRODUCER, (producer + 1) | 0);
    return part.length;
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#rest.length > 0) return this.#take(into);
    const memory = this.#memory;
    const base = this.#in;
    const consumer = memory.load32(base + CONSUMER) >>> 0;
    const isFull = () => ((memory.load32(base + PRODUCER) - consumer) >>> 0) > 0;
    if (!isFull()) await this.#until(isFull);
    const slot = consumer % RING_SLOTS;
    const length = memory.load32(base + SLOT_HEADS + slot * 8) >>> 0;
    // A whole slot goes straight to where it is wanted.
    const whole = into.length >= length;
    const bytes = whole ? into.subarray(0, length) : this.#slot.subarray(0, length);
    memory.read(base + SLOTS + slot * CHUNK_BYTES, bytes);
    if (this.#checked) {
      const expected = memory.load32(base + SLOT_HEADS + slot * 8 + 4) >>> 0;
      if (crc32(bytes) !== expected) throw new Error("ring: wrong checksum");
    }
    memory.store32(base + CONSUMER, (consumer + 1) | 0);
    if (whole) return length;
    this.#rest = bytes;
    return this.#take(into);
  }

  #take(into: Uint8Array): number {
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async #until(ready: () => boolean): Promise<void> {
    for (;;) {
      for (let spin = 0; spin < SPINS; spin += 1) if (ready()) return;
      await this.#clock.yield();
    }
  }
}
