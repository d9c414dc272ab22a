// An asynchronous handle on a medium whose operations take as long as the test says: a number of
// milliseconds on the clock, or for ever.

import type { Clock } from "../../../../transport/runtime/runtime.ts";
import type { Completion, Volume } from "../../../../transport/volume.ts";

/** Milliseconds until the next operation of a kind takes place; Infinity never. */
export type DelayOf = (kind: "read" | "write") => number;

export class DelayedVolume implements Volume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly retains = false;
  readonly #under: Volume;
  readonly #clock: Clock;
  delayOf: DelayOf;

  constructor(under: Volume, clock: Clock, delayOf: DelayOf) {
    this.name = under.name;
    this.sizeBytes = under.sizeBytes;
    this.blockBytes = under.blockBytes;
    this.#under = under;
    this.#clock = clock;
    this.delayOf = delayOf;
  }

  read(offsetBytes: number, into: Uint8Array): Completion {
    return this.#after("read", () => this.#under.read(offsetBytes, into));
  }

  write(offsetBytes: number, from: Uint8Array): Completion {
    const image = from.slice();
    return this.#after("write", () => this.#under.write(offsetBytes, image));
  }

  allocate(bytes: number): Uint8Array {
    return this.#under.allocate(bytes);
  }

  close(): void {
    this.#under.close();
  }

  async #after(kind: "read" | "write", perform: () => Completion): Promise<void> {
    const delayMs = this.delayOf(kind);
    if (delayMs === Infinity) await new Promise<never>(() => {});
    if (delayMs > 0) await this.#clock.sleep(delayMs);
    await perform();
  }
}
