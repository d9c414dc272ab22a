// A volume in memory, for tests: synchronous, or asynchronous with a promise for each operation.
// Several handles on one medium are what several hosts have.

import type { Completion, Volume } from "../../../../transport/volume.ts";
import { assert } from "../../../../transport/ground/assert.ts";

/** The path of one host to its volumes: when cut, every operation of the host fails. */
export interface HostPath {
  cut: boolean;
}

export interface MemoryVolumeOptions {
  readonly asynchronous?: boolean;
  readonly path?: HostPath;
  readonly retains?: boolean;
}

export class MemoryMedium {
  readonly bytes: Uint8Array;
  /** Called before each operation; tests change bytes here, or count. */
  onRead: (offsetBytes: number, lengthBytes: number) => void = () => {};
  onWrite: (offsetBytes: number, lengthBytes: number) => void = () => {};
  /** True for a write that is acknowledged and never lands. */
  losesWrite: (offsetBytes: number, lengthBytes: number) => boolean = () => false;
  /** How long an operation of an asynchronous handle takes: it happens at the end. */
  delay: (offsetBytes: number, lengthBytes: number) => Promise<void> = () => Promise.resolve();

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  open(
    name: string,
    options: MemoryVolumeOptions = {},
  ): Volume {
    return new MemoryVolume(this, name, options);
  }
}

class MemoryVolume implements Volume {
  readonly name: string;
  readonly blockBytes = 512;
  /** The medium loses what a test tells it to: senders keep their copies. */
  readonly retains: boolean;
  readonly #medium: MemoryMedium;
  readonly #asynchronous: boolean;
  readonly #path: HostPath;

  constructor(
    medium: MemoryMedium,
    name: string,
    options: MemoryVolumeOptions,
  ) {
    this.#medium = medium;
    this.name = name;
    this.#asynchronous = options.asynchronous ?? false;
    this.retains = options.retains ?? false;
    this.#path = options.path ?? { cut: false };
  }

  get sizeBytes(): number {
    return this.#medium.bytes.length;
  }

  read(offsetBytes: number, into: Uint8Array): Completion {
    return this.#run(offsetBytes, into.length, () => {
      this.#medium.onRead(offsetBytes, into.length);
      into.set(this.#medium.bytes.subarray(offsetBytes, offsetBytes + into.length));
    });
  }

  write(offsetBytes: number, from: Uint8Array): Completion {
    return this.#run(offsetBytes, from.length, () => {
      this.#medium.onWrite(offsetBytes, from.length);
      if (this.#medium.losesWrite(offsetBytes, from.length)) return;
      this.#medium.bytes.set(from, offsetBytes);
    });
  }

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  close(): void {}

  #run(offsetBytes: number, lengthBytes: number, operation: () => void): Completion {
    assert(offsetBytes % this.blockBytes === 0, "offsets are whole blocks");
    assert(lengthBytes % this.blockBytes === 0, "lengths are whole blocks");
    assert(offsetBytes + lengthBytes <= this.sizeBytes, "inside the volume");
    const perform = () => {
      if (this.#path.cut) throw new Error("no path to the medium");
      operation();
    };
    if (!this.#asynchronous) {
      perform();
      return undefined;
    }
    return this.#medium.delay(offsetBytes, lengthBytes).then(perform);
  }
}
