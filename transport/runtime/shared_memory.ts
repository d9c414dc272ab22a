// Shared memory over a file: mapped (mmap), or by positional I/O where mapping fails.
//
// Invariants:
//  1. Both fillings on one file see each other's stores: a mapping and the page cache are the same
//     memory on Linux.
//  2. After `close` nothing touches the mapping: the views are dropped before it is unmapped.
//  3. The file must have its blocks: a store to a hole of a full tmpfs ends the process (SIGBUS),
//     so who makes the file writes it once from end to end.

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { AT_CWD, type Files } from "./files.ts";
import type { Libc, Mapping } from "./libc.ts";
import type { SharedMemories, SharedMemory } from "./runtime.ts";

export interface SharedMemoriesOptions {
  /** False takes positional I/O even where mapping works. */
  readonly mapping: boolean;
}

export class LibcSharedMemories implements SharedMemories {
  readonly #libc: Libc;
  readonly #files: Files;
  readonly #options: SharedMemoriesOptions;

  constructor(libc: Libc, files: Files, options: SharedMemoriesOptions = { mapping: true }) {
    this.#libc = libc;
    this.#files = files;
    this.#options = options;
  }

  /**
   * @throws SystemError when the file cannot be opened
   * @throws AgentError `damaged` when it is shorter than `sizeBytes`
   */
  map(path: string, sizeBytes: number): SharedMemory {
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes > 0, "a mapping has a size");
    const descriptor = this.#files.open(AT_CWD, path, { access: "read-write" });
    let kept = false;
    try {
      const found = this.#files.statDescriptor(descriptor).sizeBytes;
      if (found < sizeBytes) {
        throw new AgentError(
          "damaged",
          `Cannot map "${path}": found ${found} bytes, need ${sizeBytes}`,
        );
      }
      const mapping = this.#options.mapping ? this.#libc.mapShared(descriptor, sizeBytes) : null;
      if (mapping !== null) return new MappedMemory(mapping, sizeBytes);
      kept = true;
      return new PositionalMemory(this.#files, descriptor, sizeBytes);
    } finally {
      // A mapping keeps the file by itself; positional I/O needs the descriptor.
      if (!kept) this.#files.close(descriptor);
    }
  }
}

class MappedMemory implements SharedMemory {
  readonly sizeBytes: number;
  readonly mapped = true;
  #mapping: Mapping | null;
  #bytes: Uint8Array;
  #words: Int32Array;

  constructor(mapping: Mapping, sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.#mapping = mapping;
    this.#bytes = new Uint8Array(mapping.buffer);
    this.#words = new Int32Array(mapping.buffer, 0, sizeBytes >>> 2);
  }

  read(offsetBytes: number, into: Uint8Array): void {
    this.#assertInside(offsetBytes, into.length);
    into.set(this.#bytes.subarray(offsetBytes, offsetBytes + into.length));
  }

  write(offsetBytes: number, from: Uint8Array): void {
    this.#assertInside(offsetBytes, from.length);
    this.#bytes.set(from, offsetBytes);
  }

  load32(offsetBytes: number): number {
    this.#assertWord(offsetBytes);
    return Atomics.load(this.#words, offsetBytes >>> 2) >>> 0;
  }

  store32(offsetBytes: number, value: number): void {
    this.#assertWord(offsetBytes);
    Atomics.store(this.#words, offsetBytes >>> 2, value | 0);
  }

  close(): void {
    const mapping = this.#mapping;
    this.#mapping = null;
    this.#bytes = new Uint8Array(0);
    this.#words = new Int32Array(0);
    mapping?.unmap();
  }

  #assertInside(offsetBytes: number, count: number): void {
    assertRange(offsetBytes, count, this.#bytes.length);
  }

  #assertWord(offsetBytes: number): void {
    assertRange(offsetBytes, 4, this.#bytes.length);
    assert((offsetBytes & 3) === 0, "a word of shared memory is aligned");
  }
}

class PositionalMemory implements SharedMemory {
  readonly sizeBytes: number;
  readonly mapped = false;
  readonly #files: Files;
  #descriptor: number | null;
  readonly #word = new Uint8Array(4);
  readonly #wordView = new DataView(this.#word.buffer);

  constructor(files: Files, descriptor: number, sizeBytes: number) {
    this.#files = files;
    this.#descriptor = descriptor;
    this.sizeBytes = sizeBytes;
  }

  read(offsetBytes: number, into: Uint8Array): void {
    const descriptor = this.#open(offsetBytes, into.length);
    const count = this.#files.readAt(descriptor, offsetBytes, into);
    if (count === into.length) return;
    throw new AgentError(
      "damaged",
      `Cannot read shared memory: found ${count} bytes at ${offsetBytes}, need ${into.length}`,
    );
  }

  write(offsetBytes: number, from: Uint8Array): void {
    this.#files.writeAllAt(this.#open(offsetBytes, from.length), offsetBytes, from);
  }

  load32(offsetBytes: number): number {
    assert(offsetBytes % 4 === 0, "a word of shared memory is aligned");
    this.read(offsetBytes, this.#word);
    return this.#wordView.getUint32(0, true);
  }

  store32(offsetBytes: number, value: number): void {
    assert(offsetBytes % 4 === 0, "a word of shared memory is aligned");
    this.#wordView.setInt32(0, value | 0, true);
    this.write(offsetBytes, this.#word);
  }

  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor !== null) this.#files.close(descriptor);
  }

  #open(offsetBytes: number, count: number): number {
    assert(this.#descriptor !== null, "shared memory is open");
    assertRange(offsetBytes, count, this.sizeBytes);
    return this.#descriptor;
  }
}

function assertRange(offsetBytes: number, count: number, sizeBytes: number): void {
  assert(
    Number.isInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes + count <= sizeBytes,
    "an access lies inside open shared memory",
  );
}
