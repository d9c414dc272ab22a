// Memory for direct I/O: aligned to pages, and mapped apart from the heap.
//
// It is the memory of a WebAssembly.Memory, which both engines map by whole pages and give back to
// the kernel when nothing uses it any more. The heap's own buffers are aligned to 16 bytes; and
// when a thread is ended while the kernel still fills one, the heap uses its place again, so that
// a late read would land in other data. Pages that were mapped and given back are kept by the
// kernel until the request is done, and land nowhere.
//
// Invariants:
//  1. Pieces are zero and never overlap.
//  2. A piece keeps its chunk; a chunk without pieces is collected. Small pieces share chunks.
//  3. This memory cannot be transferred to another thread (the engines refuse it).
//  4. A chunk never moves, so its address is asked for once.

import { assert } from "../ground/assert.ts";
import type { Libc } from "./libc.ts";
import { IO_CHUNK_BYTES } from "./limits.ts";

/** Of a WebAssembly.Memory, in bytes. */
const WASM_PAGE_BYTES = 65536;

/** Bytes: the largest alignment of direct I/O that this program supports. */
export const IO_ALIGNMENT_BYTES = 4096;

export class IoMemory {
  readonly #libc: Libc;
  readonly #addresses = new WeakMap<ArrayBufferLike, number>();
  #chunk: ArrayBuffer = new ArrayBuffer(0);
  #usedBytes = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** @throws RangeError when the process has no memory left */
  allocate(bytes: number): Uint8Array {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "memory has a size in whole bytes");
    const spanBytes = Math.max(1, Math.ceil(bytes / IO_ALIGNMENT_BYTES)) * IO_ALIGNMENT_BYTES;
    if (spanBytes > IO_CHUNK_BYTES / 2) return new Uint8Array(this.#map(spanBytes), 0, bytes);
    if (this.#usedBytes + spanBytes > this.#chunk.byteLength) {
      this.#chunk = this.#map(IO_CHUNK_BYTES);
      this.#usedBytes = 0;
    }
    const piece = new Uint8Array(this.#chunk, this.#usedBytes, bytes);
    this.#usedBytes += spanBytes;
    return piece;
  }

  /** Where the bytes lie; null when they are not of this memory. */
  addressOf(bytes: Uint8Array): number | null {
    const address = this.#addresses.get(bytes.buffer);
    return address === undefined ? null : address + bytes.byteOffset;
  }

  #map(bytes: number): ArrayBuffer {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    assert(buffer instanceof ArrayBuffer, "memory that is not shared");
    const address = this.#libc.addressOf(new Uint8Array(buffer));
    assert(address % IO_ALIGNMENT_BYTES === 0, "the engine maps whole pages");
    this.#addresses.set(buffer, address);
    return buffer;
  }
}
