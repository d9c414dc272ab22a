// Reads all control blocks of one host at once: the listener's poll and the connector's search.
//
// Invariant: a block that was torn in one pass is read again, up to a bound, so that a listener
// is not overlooked because it was just writing; after that it counts as absent, as one that the
// medium lost does.

import { type RecordState, viewOf } from "./block_fields.ts";
import { ControlBlock, decodeControlBlock } from "./control_block.ts";
import { AREA_READS_MAX, BLOCK_BYTES } from "./limits.ts";
import { readBlocks } from "./lost_blocks.ts";
import { controlAreaBytes, controlAreaOffset } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";

export class ControlArea {
  readonly #medium: StgMedium;
  readonly #bytes: Uint8Array;
  readonly #views: readonly DataView[];
  readonly #blocks: readonly ControlBlock[];
  readonly #states: RecordState[];

  constructor(medium: StgMedium) {
    const { layout } = medium.identity;
    const bytes = new Uint8Array(controlAreaBytes(layout));
    const places = Array.from({ length: layout.endpointsPerHost }, (_, index) => index);
    this.#medium = medium;
    this.#bytes = bytes;
    this.#views = places.map((index) => viewOf(blockAt(bytes, index)));
    this.#blocks = places.map(() => new ControlBlock());
    this.#states = places.map((): RecordState => "empty");
  }

  /**
   * Reads the area of `hostId`. The blocks are valid until the next read.
   * @returns the good blocks whose owner's generation is `boot`, by endpoint
   * @throws AgentError `volume`
   */
  async read(hostId: number, boot: number): Promise<readonly ControlBlock[]> {
    const { identity, controlVolume, clock } = this.#medium;
    const offset = controlAreaOffset(identity.layout, hostId);
    for (let pass = 1;; pass++) {
      const pending = readBlocks(controlVolume, offset, this.#bytes);
      if (pending !== undefined) await pending;
      if (this.#decodeAll() || pass === AREA_READS_MAX) break;
      await clock.yield();
    }
    return this.#blocks.filter((block, index) =>
      this.#states[index] === "ok" && block.self.host === hostId &&
      block.self.endpoint === index && block.self.boot === boot
    );
  }

  /** @returns false when a block was torn */
  #decodeAll(): boolean {
    let whole = true;
    this.#views.forEach((view, index) => {
      const block = this.#blocks[index] ?? new ControlBlock();
      const state = decodeControlBlock(blockAt(this.#bytes, index), view, block);
      this.#states[index] = state;
      if (state === "damaged") whole = false;
    });
    return whole;
  }
}

function blockAt(area: Uint8Array, index: number): Uint8Array {
  return area.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
}
