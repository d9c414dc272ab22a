// Large buffers whose content is done with, given back at once.
//
// The collector finds them late: until then each new one is fresh memory, and what it costs to have
// that mapped, cleared and taken away again is more than decompressing a frame into memory that was
// just free (measured on both runtimes: half the time of a frame of 1 MiB).

/** Shorter ones may share their buffer with others, and cost little. */
const SHORTEST_BYTES = 128 * 1024;

/** Frees the whole buffer behind `bytes`: nobody may look at it again. May be called twice. */
export function freeBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= SHORTEST_BYTES) buffer.transfer(0);
}
