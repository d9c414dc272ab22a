// A volume in memory, for tests: synchronous, or asynchronous with a promise for each operation.
// Several handles on one medium are what several hosts have.

import type { Completion, Volume } from "../../../../transport/volume.ts";
import { assert } from "../../../../transport/ground/assert.ts";

export class MemoryMedium {
  readonly bytes: Uint8Array;
  /** When set, every operation of every handle fails with it. */
  failure: Error | null = null;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  open(name: string, options: { readonly asynchronous?: boolean } = {}): Volume {
    return new MemoryVolume(this, name, options.asynchronous ?? false);
  }
}

class MemoryVolume implements Volume {
  readonly name: string;
  readonly blockBytes = 512;
  readonly #medium: MemoryMedium;
  readonly #asynchronous: boolean;

  constructor(medium: MemoryMedium, name: string, asynchronous: boolean) {
    this.#medium = medium;
    this.name = name;
    this.#asynchronous = asynchronous;
  }

  get sizeBytes(): number {
    return this.#medium.bytes.length;
  }

  read(offsetBytes: number, into: Uint8Array): Completion {
    return this.#run(offsetBytes, into.length, () => {
      into.set(this.#medium.bytes.subarray(offsetBytes, offsetBytes + into.length));
    });
  }

  write(offsetBytes: number, from: Uint8Array): Completion {
    return this.#run(offsetBytes, from.length, () => this.#medium.bytes.set(from, offsetBytes));
  }

  close(): void {}

  #run(offsetBytes: number, lengthBytes: number, operation: () => void): Completion {
    assert(offsetBytes % this.blockBytes === 0, "offsets are whole blocks");
    assert(lengthBytes % this.blockBytes === 0, "lengths are whole blocks");
    assert(offsetBytes + lengthBytes <= this.sizeBytes, "inside the volume");
    const perform = () => {
      if (this.#medium.failure !== null) throw this.#medium.failure;
      operation();
    };
    if (!this.#asynchronous) {
      perform();
      return undefined;
    }
    return Promise.resolve().then(perform);
  }
}
