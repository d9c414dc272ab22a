// Reads the expected frame out of the peer's transmit ring.
//
// Invariants: bytes count only after header and payload proved themselves. A payload that fits
// the caller's buffer is read into it directly; otherwise it is held here and served in parts.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import type { Volume } from "../volume.ts";
import { viewOf } from "./block_fields.ts";
import type { ConnectionIds } from "./control_block.ts";
import {
  frameLengthBytes,
  framePayloadCrc,
  type FrameVerdict,
  judgeFrameHeader,
} from "./frame_header.ts";
import { BLOCK_BYTES, COMPOSE_BYTES_MAX } from "./limits.ts";
import { extentOffset, slotBytes, slotOfFrame, volumeOfFrame } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { readVolume } from "./volume_io.ts";

/** Which frame to read, and what is known about it. */
export interface FrameRequest {
  readonly seq: number;
  readonly streamOffset: number;
  /** Its length when the cursors tell it, else 0; only saves a read. */
  readonly lengthHint: number;
}

export class FrameReader {
  /** Length of the frame that was read last. */
  lengthBytes = 0;
  readonly #medium: StgMedium;
  readonly #ids: ConnectionIds;
  readonly #extentBytes: number;
  /** Header block, then the payload of a frame that the caller's buffer cannot take. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #header: Uint8Array;
  #heldFrom = 0;
  #heldTo = 0;

  constructor(medium: StgMedium, ids: ConnectionIds) {
    const { layout } = medium.identity;
    this.#medium = medium;
    this.#ids = ids;
    this.#extentBytes = extentOffset(layout, ids.peer.host, ids.peer.endpoint);
    this.#bytes = new Uint8Array(slotBytes(layout));
    this.#view = viewOf(this.#bytes);
    this.#header = this.#bytes.subarray(0, BLOCK_BYTES);
  }

  /** Bytes of the last frame that were not served yet. */
  get heldBytes(): number {
    return this.#heldTo - this.#heldFrom;
  }

  /** Copies held bytes. @returns their count */
  serve(into: Uint8Array): number {
    const count = Math.min(into.length, this.heldBytes);
    into.set(this.#bytes.subarray(this.#heldFrom, this.#heldFrom + count));
    this.#heldFrom += count;
    return count;
  }

  /** Where a frame lies, for people. */
  place(seq: number): string {
    const { identity: { layout } } = this.#medium;
    return `volume "${this.#volumeOf(seq).name}" slot ${slotOfFrame(layout, seq)}`;
  }

  /**
   * Reads one frame into `into` when it is long enough, else into the held buffer (`heldBytes`
   * is then above 0). With any other verdict than "ok", `into` may hold garbage.
   * @throws AgentError `volume`
   */
  async read(request: FrameRequest, into: Uint8Array): Promise<FrameVerdict> {
    assert(this.heldBytes === 0, "a held frame is served before the next one is read");
    const { identity: { layout } } = this.#medium;
    const volume = this.#volumeOf(request.seq);
    const offset = this.#extentBytes + slotOfFrame(layout, request.seq) * slotBytes(layout);
    const small = request.lengthHint > 0 && request.lengthHint <= COMPOSE_BYTES_MAX;
    const first = small
      ? this.#bytes.subarray(0, BLOCK_BYTES + roundUp(request.lengthHint, volume))
      : this.#header;
    const pending = readVolume(volume, offset, first);
    if (pending !== undefined) await pending;
    const verdict = judgeFrameHeader(this.#header, this.#view, {
      ids: this.#ids,
      seq: request.seq,
      streamOffset: request.streamOffset,
      payloadBytes: layout.payloadBytes,
    });
    if (verdict !== "ok") return verdict;
    const lengthBytes = frameLengthBytes(this.#view);
    this.lengthBytes = lengthBytes;
    if (BLOCK_BYTES + lengthBytes <= first.length) return this.#hold(lengthBytes);
    return await this.#readPayload(volume, offset + BLOCK_BYTES, into);
  }

  async #readPayload(volume: Volume, offset: number, into: Uint8Array): Promise<FrameVerdict> {
    const lengthBytes = this.lengthBytes;
    const rounded = roundUp(lengthBytes, volume);
    // Padding must not reach the caller's buffer behind the bytes that are its own.
    const direct = rounded === lengthBytes && rounded <= into.length;
    const target = direct
      ? into.subarray(0, rounded)
      : this.#bytes.subarray(BLOCK_BYTES, BLOCK_BYTES + rounded);
    const pending = readVolume(volume, offset, target);
    if (pending !== undefined) await pending;
    if (!direct) return this.#hold(lengthBytes);
    return crc32(target) === framePayloadCrc(this.#view) ? "ok" : "torn";
  }

  #hold(lengthBytes: number): FrameVerdict {
    const payload = this.#bytes.subarray(BLOCK_BYTES, BLOCK_BYTES + lengthBytes);
    if (crc32(payload) !== framePayloadCrc(this.#view)) return "torn";
    this.#heldFrom = BLOCK_BYTES;
    this.#heldTo = BLOCK_BYTES + lengthBytes;
    return "ok";
  }

  #volumeOf(seq: number): Volume {
    const volume = this.#medium.volumes[volumeOfFrame(this.#medium.identity.layout, seq)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    return volume;
  }
}

function roundUp(bytes: number, volume: Volume): number {
  return Math.ceil(bytes / volume.blockBytes) * volume.blockBytes;
}
