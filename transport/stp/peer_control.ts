// The control block of the peer's endpoint, as we last could read it.
//
// Invariants: `block` and the frame table only ever hold what one read returned with a right
// checksum of the record. One read at a time: a poll that finds another under way waits for that
// one. Reads go into a spare image, so that the table can be looked at meanwhile.

import type { Completion, Volume } from "../volume.ts";
import { type RecordState, viewOf } from "./block_fields.ts";
import { type ConnectionIds, ControlBlock, decodeControlBlock } from "./control_block.ts";
import {
  connectionSeed,
  type ExpectedFrame,
  type FrameEntry,
  FrameTable,
  type FrameVerdict,
} from "./frame_entry.ts";
import { BLOCK_BYTES, RECORD_CRC_OFFSET } from "./limits.ts";
import { controlBlockOffset, type StgLayout } from "./stg_layout.ts";
import { readVolume } from "./volume_io.ts";

interface BlockImage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly table: FrameTable;
}

export class PeerControl {
  readonly block = new ControlBlock();
  /** Of the last poll: what is not "ok" left `block` as it was. */
  state: RecordState = "empty";
  readonly #volume: Volume;
  readonly #offsetBytes: number;
  #image: BlockImage;
  #spare: BlockImage;
  /** Checksum of the record in `block`. */
  #crc = 0;
  #reading: Promise<void> | undefined;

  constructor(volume: Volume, layout: StgLayout, ids: ConnectionIds) {
    this.#volume = volume;
    this.#offsetBytes = controlBlockOffset(layout, ids.peer.host, ids.peer.endpoint);
    const seed = connectionSeed(ids.peer, ids.local);
    this.#image = makeImage(volume, seed);
    this.#spare = makeImage(volume, seed);
  }

  /** @throws (or rejects) AgentError `volume` */
  poll(): Completion {
    if (this.#reading !== undefined) return this.#reading;
    const pending = readVolume(this.#volume, this.#offsetBytes, this.#spare.bytes);
    if (pending === undefined) return this.#decode();
    this.#reading = this.#finish(pending);
    return this.#reading;
  }

  /** Looks for the descriptor of a frame in the block as it was read last. */
  findFrame(expected: ExpectedFrame, into: FrameEntry): FrameVerdict {
    return this.#image.table.read(expected, into);
  }

  /** The payload of a frame that stands in the block as it was read last. */
  inlinePayload(lengthBytes: number): Uint8Array {
    return this.#image.table.inlinePayload(lengthBytes);
  }

  #decode(): undefined {
    const { bytes, view } = this.#spare;
    // Most polls find what the last one found; then the record is known to be good. The table may
    // be another: in the last image it may have been torn.
    const crc = view.getUint32(RECORD_CRC_OFFSET, true);
    if (this.state !== "ok" || crc !== this.#crc) {
      this.state = decodeControlBlock(bytes, view, this.block);
      if (this.state !== "ok") return undefined;
      this.#crc = crc;
    }
    const older = this.#image;
    this.#image = this.#spare;
    this.#spare = older;
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

function makeImage(volume: Volume, seed: number): BlockImage {
  const bytes = volume.allocate(BLOCK_BYTES).fill(0);
  return { bytes, view: viewOf(bytes), table: new FrameTable(bytes, seed) };
}
