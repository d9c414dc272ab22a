// The control block of the peer's endpoint, as we last could read it.
//
// Invariants: `block` only ever holds what one read returned with a right checksum. One read at a
// time: a poll that finds another under way waits for that one.

import type { Completion, Volume } from "../volume.ts";
import { type RecordState, viewOf } from "./block_fields.ts";
import { ControlBlock, decodeControlBlock, type EndpointId } from "./control_block.ts";
import { BLOCK_BYTES } from "./limits.ts";
import { controlBlockOffset, type StgLayout } from "./stg_layout.ts";
import { readVolume } from "./volume_io.ts";

export class PeerControl {
  readonly block = new ControlBlock();
  /** Of the last poll: what is not "ok" left `block` as it was. */
  state: RecordState = "empty";
  readonly #volume: Volume;
  readonly #offsetBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #reading: Promise<void> | undefined;

  constructor(volume: Volume, layout: StgLayout, peer: EndpointId) {
    this.#volume = volume;
    this.#offsetBytes = controlBlockOffset(layout, peer.host, peer.endpoint);
    this.#bytes = volume.allocate(BLOCK_BYTES);
    this.#view = viewOf(this.#bytes);
  }

  /** @throws (or rejects) AgentError `volume` */
  poll(): Completion {
    if (this.#reading !== undefined) return this.#reading;
    const pending = readVolume(this.#volume, this.#offsetBytes, this.#bytes);
    if (pending === undefined) return this.#decode();
    this.#reading = this.#finish(pending);
    return this.#reading;
  }

  #decode(): undefined {
    this.state = decodeControlBlock(this.#bytes, this.#view, this.block);
    return undefined;
  }

  async #finish(pending: Promise<void>): Promise<void> {
    try {
      await pending;
      this.#decode();
    } finally {
      this.#reading = undefined;
    }
  }
}
