// Writes frames into the slots of our own transmit ring.
//
// Invariants: the payload is written before the header, and the caller publishes the cursor only
// after both. A large frame goes out from the caller's buffer; a small one is composed, because
// one write then costs less than two. Nothing is allocated per frame.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import type { Completion, Volume } from "../volume.ts";
import { viewOf } from "./block_fields.ts";
import type { ConnectionIds } from "./control_block.ts";
import { prepareFrameHeader, sealFrameHeader } from "./frame_header.ts";
import { BLOCK_BYTES, COMPOSE_BYTES_MAX } from "./limits.ts";
import { extentOffset, slotBytes, slotOfFrame, volumeOfFrame } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { writeVolume } from "./volume_io.ts";

export class FrameWriter {
  readonly #medium: StgMedium;
  readonly #extentBytes: number;
  /** Header block, then room for a composed payload. */
  readonly #bytes = new Uint8Array(BLOCK_BYTES + COMPOSE_BYTES_MAX);
  readonly #view = viewOf(this.#bytes);
  readonly #header = this.#bytes.subarray(0, BLOCK_BYTES);

  constructor(medium: StgMedium, ids: ConnectionIds) {
    const { layout } = medium.identity;
    this.#medium = medium;
    this.#extentBytes = extentOffset(layout, ids.local.host, ids.local.endpoint);
    prepareFrameHeader(this.#view, ids);
  }

  /** How many of `wantedBytes` the next frame takes: whole blocks when it is not composed. */
  frameBytes(wantedBytes: number): number {
    if (wantedBytes <= COMPOSE_BYTES_MAX) return wantedBytes;
    const whole = wantedBytes - (wantedBytes % BLOCK_BYTES);
    return Math.min(whole, this.#medium.identity.layout.payloadBytes);
  }

  /**
   * Writes frame `seq`, whose first byte has `streamOffset`. `payload` has the length that
   * `frameBytes` gave and must not change until the write is complete.
   * @throws (or rejects) AgentError `volume`
   */
  write(seq: number, streamOffset: number, payload: Uint8Array): Completion {
    const { identity: { layout }, volumes } = this.#medium;
    const volume = volumes[volumeOfFrame(layout, seq)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    const offset = this.#extentBytes + slotOfFrame(layout, seq) * slotBytes(layout);
    const lengthBytes = payload.length;
    assert(lengthBytes > 0 && lengthBytes <= layout.payloadBytes, "a frame fits its slot");
    sealFrameHeader(this.#bytes, this.#view, {
      seq,
      streamOffset,
      lengthBytes,
      payloadCrc: crc32(payload),
    });
    if (lengthBytes <= COMPOSE_BYTES_MAX) return this.#writeComposed(volume, offset, payload);
    const pending = writeVolume(volume, offset + BLOCK_BYTES, payload);
    if (pending === undefined) return writeVolume(volume, offset, this.#header);
    return this.#writeHeaderAfter(pending, volume, offset);
  }

  #writeComposed(volume: Volume, offset: number, payload: Uint8Array): Completion {
    const end = BLOCK_BYTES + payload.length;
    const roundedEnd = Math.ceil(end / volume.blockBytes) * volume.blockBytes;
    this.#bytes.set(payload, BLOCK_BYTES);
    this.#bytes.fill(0, end, roundedEnd);
    return writeVolume(volume, offset, this.#bytes.subarray(0, roundedEnd));
  }

  async #writeHeaderAfter(payload: Promise<void>, volume: Volume, offset: number): Promise<void> {
    await payload;
    await writeVolume(volume, offset, this.#header);
  }
}
