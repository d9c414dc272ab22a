// The ceiling: a bare ring in a shared memory file, without frames, checksums or flow of control
// beyond two cursors. One process writes, another reads.
//
// Layout: producer cursor at 0, consumer cursor at 64 (slots, modulo 2^32; one cache line each),
// then the slots from 4096.

import type { Clock, SharedMemory } from "../../transport/runtime/runtime.ts";
import { CHUNK_BYTES, RING_SLOTS } from "./limits.ts";

const PRODUCER = 0;
const CONSUMER = 64;
const SLOTS_OFFSET = 4096;

/** Reads of a cursor before the thread gives way to others. */
const SPINS = 2000;

export const RING_FILE_BYTES = SLOTS_OFFSET + RING_SLOTS * CHUNK_BYTES;

/** Waits until `ready` says so. */
async function until(ready: () => boolean, clock: Clock): Promise<void> {
  for (;;) {
    for (let spin = 0; spin < SPINS; spin += 1) if (ready()) return;
    await clock.yield();
  }
}

/** Sends one chunk. */
export async function ringWrite(
  ring: SharedMemory,
  chunk: Uint8Array,
  clock: Clock,
): Promise<void> {
  const producer = ring.load32(PRODUCER) >>> 0;
  const isFree = (): boolean => ((producer - ring.load32(CONSUMER)) >>> 0) < RING_SLOTS;
  if (!isFree()) await until(isFree, clock);
  ring.write(SLOTS_OFFSET + (producer % RING_SLOTS) * CHUNK_BYTES, chunk);
  ring.store32(PRODUCER, (producer + 1) | 0);
}

/** Receives one chunk. */
export async function ringRead(ring: SharedMemory, into: Uint8Array, clock: Clock): Promise<void> {
  const consumer = ring.load32(CONSUMER) >>> 0;
  const isFull = (): boolean => ((ring.load32(PRODUCER) - consumer) >>> 0) > 0;
  if (!isFull()) await until(isFull, clock);
  ring.read(SLOTS_OFFSET + (consumer % RING_SLOTS) * CHUNK_BYTES, into);
  ring.store32(CONSUMER, (consumer + 1) | 0);
}
