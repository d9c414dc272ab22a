// Shared memory over a file, mapped (mmap).
//
// Invariants:
//  1. After `close` nothing touches the mapping: the views are dropped before it is unmapped.
//  2. The file must have its blocks: a store to a hole of a full tmpfs ends the process (SIGBUS),
//     so who makes the file writes it once from end to end.

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { errnoName } from "./errno.ts";
import { AT_CWD, type Files, SystemError } from "./files.ts";
import type { Libc, Mapping } from "./libc.ts";
import type { SharedMemories, SharedMemory } from "./runtime.ts";

export class LibcSharedMemories implements SharedMemories {
  readonly #libc: Libc;
  readonly #files: Files;

  constructor(libc: Libc, files: Files) {
    this.#libc = libc;
    this.#files = files;
  }

  /**
   * @throws SystemError when the file cannot be opened, or the kernel refuses to map it
   * @throws AgentError `damaged` when it is shorter than `sizeBytes`
   */
  map(path: string, sizeBytes: number): SharedMemory {
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes > 0, "a mapping has a size");
    const descriptor = this.#files.open(AT_CWD, path, { access: "read-write" });
    try {
      const found = this.#files.statDescriptor(descriptor).sizeBytes;
      if (found < sizeBytes) {
        throw new AgentError(
          "damaged",
          `Cannot map "${path}": found ${found} bytes, need ${sizeBytes}`,
        );
      }
      const mapping = this.#libc.mapShared(descriptor, sizeBytes);
      if (mapping === null) throw new SystemError(errnoName(this.#libc.errno()), "mmap", path);
      return new MappedMemory(mapping, sizeBytes);
    } finally {
      this.#files.close(descriptor); // A mapping keeps the file by itself.
    }
  }
}

class MappedMemory implements SharedMemory {
  readonly sizeBytes: number;
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

function assertRange(offsetBytes: number, count: number, sizeBytes: number): void {
  assert(
    Number.isInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes + count <= sizeBytes,
    "an access lies inside open shared memory",
  );
}
