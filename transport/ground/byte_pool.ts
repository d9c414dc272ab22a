// Large buffers that are used again, of the thread: who is done with one gives it back, and the
// next who needs one gets it.
//
// The collector finds them late: until then each new one is fresh memory, and what it costs to have
// that mapped, cleared and taken away again is as much as compressing what is put into it (measured
// on both runtimes: 40 % of the processor time of a backup of small files).
//
// Invariants: a buffer that was given back belongs to nobody until it is taken; the pool holds a
// bounded count of bytes, and what is given beyond them goes back to the system at once.

import { assert } from "./assert.ts";

/** Shorter ones may share their buffer with others, and cost little. */
const SHORTEST_BYTES = 128 * 1024;

/** Buffers have sizes in steps, so that one that held a frame has room for the next. */
const STEP_BYTES = 256 * 1024;

/** Bytes that wait to be taken: what a sender keeps until its peer has it, and some in work. */
export const POOL_BYTES_MAX = 40 * 1024 * 1024;

const pool: ArrayBuffer[] = [];
let pooledBytes = 0;

/** @returns `count` bytes of any content */
export function takeBytes(count: number): Uint8Array<ArrayBuffer> {
  if (count < SHORTEST_BYTES) return new Uint8Array(count);
  const at = pool.findLastIndex(({ byteLength }) => byteLength >= count);
  const [buffer] = at < 0 ? [] : pool.splice(at, 1);
  if (buffer !== undefined) pooledBytes -= buffer.byteLength;
  const size = Math.ceil(count / STEP_BYTES) * STEP_BYTES;
  return new Uint8Array(buffer ?? new ArrayBuffer(size), 0, count);
}

/** A copy of `bytes` in memory of the pool. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = takeBytes(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Gives back the whole buffer behind `bytes`, once: nobody may look at it again. */
export function freeBytes({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < SHORTEST_BYTES) return;
  assert(!pool.includes(buffer), "a buffer is given back once");
  if (pooledBytes + buffer.byteLength > POOL_BYTES_MAX) return void buffer.transfer(0);
  pool.push(buffer);
  pooledBytes += buffer.byteLength;
}

/** Gives back to the system what the runtime made: the collector would do it late. */
export function dropBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= SHORTEST_BYTES) buffer.transfer(0);
}
