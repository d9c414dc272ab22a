// A raw volume: a block device, or a plain file, read and written past the page cache.
//
// Invariants:
//  1. Every access is direct. Memory that the medium does not take as it is goes through bounce
//     buffers of the queue; the page cache is never mixed in, because another host does not see it.
//  2. Operations that were called without waiting run at the same time.
//  3. `close` refuses new operations at once; the descriptor goes when the last one is answered.

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import type { DirectIo } from "../runtime/direct_io.ts";
import type { Completion, Volume } from "../volume.ts";
import { BOUNCE_BYTES } from "./limits.ts";
import type { RawQueue } from "./raw_queue.ts";

/** What was found out about a medium when it was opened. */
export interface RawMedium {
  /** The path in the configuration. */
  readonly name: string;
  readonly descriptor: number;
  readonly kind: "block" | "file";
  readonly sizeBytes: number;
  /** Unit of offsets and lengths. */
  readonly blockBytes: number;
  /** Addresses of memory must be multiples of it. */
  readonly memoryBytes: number;
}

export interface RawVolumeParts {
  readonly directIo: DirectIo;
  readonly queue: RawQueue;
  /** Called once, when nothing of the volume is under way any more. */
  readonly closeDescriptor: () => void;
  /** Resolves when all volumes of the queue are closed and nothing is in flight. */
  readonly ended: Promise<void>;
}

export class RawVolume implements Volume {
  readonly medium: RawMedium;
  /** Disks and the paths to them lose and damage what they took. */
  readonly retains = false;
  readonly #parts: RawVolumeParts;
  #underWay = 0;
  #closed = false;

  constructor(medium: RawMedium, parts: RawVolumeParts) {
    this.medium = medium;
    this.#parts = parts;
  }

  /**
   * Resolves when all volumes that were opened together are closed and nothing of them is in
   * flight: a thread that ends before leaves the kernel's queue to the process.
   */
  get ended(): Promise<void> {
    return this.#parts.ended;
  }

  get name(): string {
    return this.medium.name;
  }

  get sizeBytes(): number {
    return this.medium.sizeBytes;
  }

  get blockBytes(): number {
    return this.medium.blockBytes;
  }

  read(offsetBytes: number, into: Uint8Array): Completion {
    return this.#run("read", offsetBytes, into);
  }

  write(offsetBytes: number, from: Uint8Array): Completion {
    return this.#run("write", offsetBytes, from);
  }

  allocate(bytes: number): Uint8Array {
    return this.#parts.directIo.allocate(bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#underWay === 0) this.#parts.closeDescriptor();
  }

  #run(operation: "read" | "write", offsetBytes: number, bytes: Uint8Array): Completion {
    const { blockBytes, sizeBytes, name } = this.medium;
    if (this.#closed) {
      throw new AgentError("closed", `Cannot ${operation} volume "${name}": it is closed`);
    }
    assert(offsetBytes >= 0 && offsetBytes % blockBytes === 0, "an offset is whole blocks");
    assert(bytes.length % blockBytes === 0, "a length is whole blocks");
    assert(offsetBytes + bytes.length <= sizeBytes, "an access lies inside the volume");
    if (bytes.length === 0) return undefined;
    this.#underWay += 1;
    return this.#move(operation, offsetBytes, bytes);
  }

  async #move(operation: "read" | "write", offsetBytes: number, bytes: Uint8Array): Promise<void> {
    const { directIo, queue } = this.#parts;
    const { descriptor, name, memoryBytes } = this.medium;
    const direct = directIo.suits(bytes, memoryBytes);
    const part = (at: number, count: number) =>
      queue.submit({
        operation,
        descriptor,
        offsetBytes: offsetBytes + at,
        bytes: count === bytes.length ? bytes : bytes.subarray(at, at + count),
        direct,
        name,
      });
    try {
      if (direct || bytes.length <= BOUNCE_BYTES) return await part(0, bytes.length);
      // One bounce buffer after the other: copies are the slow path, and keep few of them.
      for (let at = 0; at < bytes.length; at += BOUNCE_BYTES) {
        await part(at, Math.min(BOUNCE_BYTES, bytes.length - at));
      }
    } finally {
      this.#underWay -= 1;
      if (this.#closed && this.#underWay === 0) this.#parts.closeDescriptor();
    }
  }
}
