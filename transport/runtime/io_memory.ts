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
//  2. A piece keeps its chunk; a chunk without pieces is collected.
//  3. This memory cannot be transferred to another thread (the engines refuse it).
//  4. A chunk never moves, so its address is asked for once.
//
// Large pieces lie in huge pages where the kernel has them to give: for each request it finds and
// holds every page below it, and a copy looks each of them up.

import { assert } from "../ground/assert.ts";
import type { Libc } from "./libc.ts";
import { HUGE_PAGE_BYTES, IO_CHUNK_BYTES, IO_LARGE_BYTES } from "./limits.ts";

/** Number of the system call by architecture, and its advice (MADV_HUGEPAGE, <sys/mman.h>). */
const MADVISE = { x86_64: 28, aarch64: 233 } as const;
const HUGE_PAGES = 14;

/** Of a WebAssembly.Memory, in bytes. */
const WASM_PAGE_BYTES = 65536;

/** Bytes: the largest alignment of direct I/O that this program supports. */
export const IO_ALIGNMENT_BYTES = 4096;

export class IoMemory {
  readonly #libc: Libc;
  readonly #addresses = new WeakMap<ArrayBufferLike, number>();
  /** What is left of the latest chunk of each kind. */
  readonly #small = { rest: new Uint8Array(0) };
  readonly #large = { rest: new Uint8Array(0) };

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** @throws RangeError when the process has no memory left */
  allocate(bytes: number): Uint8Array {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "memory has a size in whole bytes");
    const spanBytes = Math.max(1, Math.ceil(bytes / IO_ALIGNMENT_BYTES)) * IO_ALIGNMENT_BYTES;
    const isLarge = spanBytes >= IO_LARGE_BYTES;
    const chunk = isLarge ? this.#large : this.#small;
    if (chunk.rest.length < spanBytes) {
      chunk.rest = isLarge ? this.#mapHuge(spanBytes) : this.#map(IO_CHUNK_BYTES);
    }
    const piece = chunk.rest.subarray(0, bytes);
    chunk.rest = chunk.rest.subarray(spanBytes);
    return piece;
  }

  /** Where the bytes lie; null when they are not of this memory. */
  addressOf(bytes: Uint8Array): number | null {
    const address = this.#addresses.get(bytes.buffer);
    return address === undefined ? null : address + bytes.byteOffset;
  }

  /** A chunk of whole huge pages, at least `bytes` long; memory around it is never touched. */
  #mapHuge(bytes: number): Uint8Array<ArrayBuffer> {
    const wholeBytes = Math.ceil(bytes / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
    const mapped = this.#map(wholeBytes + HUGE_PAGE_BYTES);
    const address = this.addressOf(mapped);
    assert(address !== null, "what was mapped has an address");
    const start = Math.ceil(address / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
    // A kernel without huge pages refuses: then they are the usual ones.
    const number = MADVISE[this.#libc.architecture];
    this.#libc.syscall(number, start, wholeBytes, HUGE_PAGES, 0, 0);
    return mapped.subarray(start - address, start - address + wholeBytes);
  }

  #map(bytes: number): Uint8Array<ArrayBuffer> {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    assert(buffer instanceof ArrayBuffer, "memory that is not shared");
    const mapped = new Uint8Array(buffer);
    const address = this.#libc.addressOf(mapped);
    assert(address % IO_ALIGNMENT_BYTES === 0, "the engine maps whole pages");
    this.#addresses.set(buffer, address);
    return mapped;
  }
}
