// Reads the expected frame out of the peer's transmit ring, one at a time: for synchronous volumes,
// where no time is lost by that. frame_prefetch.ts reads several at once.
//
// Invariants: bytes count only after header and payload proved themselves. A payload that fits
// the caller's buffer is read into it directly; otherwise it is held here and served in parts.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import type { Volume } from "../volume.ts";
import { viewOf } from "./block_fields.ts";
import type { ConnectionIds } from "./control_block.ts";
import type { ReceiveWindow } from "./cursors.ts";
import {
  frameLengthBytes,
  framePayloadCrc,
  type FrameVerdict,
  judgeFrameHeader,
} from "./frame_header.ts";
import { BLOCK_BYTES, COMPOSE_BYTES_MAX } from "./limits.ts";
import { extentOffset, slotBytes, slotOfPlace, volumeOfPlace } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { readVolume } from "./volume_io.ts";

interface ExpectedFrame {
  readonly ids: ConnectionIds;
  readonly payloadBytes: number;
  seq: number;
  streamOffset: number;
}

export class FrameReader {
  /** Length of the frame that was read last. */
  lengthBytes = 0;
  readonly #medium: StgMedium;
  readonly #window: ReceiveWindow;
  readonly #extentBytes: number;
  /** Header block, then the payload of a frame that the caller's buffer cannot take. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #header: Uint8Array;
  /** What the next header must say; filled anew for each. */
  readonly #expected: ExpectedFrame;
  #heldFrom = 0;
  #heldTo = 0;

  constructor(medium: StgMedium, ids: ConnectionIds, window: ReceiveWindow) {
    const { layout } = medium.identity;
    this.#medium = medium;
    this.#window = window;
    this.#extentBytes = extentOffset(layout, ids.peer.host, ids.peer.endpoint);
    this.#bytes = new Uint8Array(slotBytes(layout));
    this.#view = viewOf(this.#bytes);
    this.#header = this.#bytes.subarray(0, BLOCK_BYTES);
    this.#expected = { ids, seq: 0, streamOffset: 0, payloadBytes: layout.payloadBytes };
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

  /**
   * Reads the next frame of the window into `into` when it is long enough, else into the held
   * buffer (`heldBytes` is then above 0). With any other verdict than "ok", `into` may hold
   * garbage. A promise comes back only from an asynchronous volume.
   * @throws (or rejects) AgentError `volume`
   */
  read(into: Uint8Array): FrameVerdict | Promise<FrameVerdict> {
    assert(this.heldBytes === 0, "a held frame is served before the next one is read");
    const window = this.#window;
    const { identity: { layout }, volumes } = this.#medium;
    const place = window.place(window.frames);
    const volume = volumes[volumeOfPlace(layout, place)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    const offset = this.#extentBytes + slotOfPlace(layout, place) * slotBytes(layout);
    const hint = window.nextLengthBytes;
    const first = hint > 0 && hint <= COMPOSE_BYTES_MAX
      ? this.#bytes.subarray(0, BLOCK_BYTES + roundUp(hint, volume))
      : this.#header;
    this.#expected.seq = window.frames;
    this.#expected.streamOffset = window.bytes;
    const pending = readVolume(volume, offset, first);
    if (pending === undefined) return this.#takeHeader(volume, offset, first.length, into);
    return pending.then(() => this.#takeHeader(volume, offset, first.length, into));
  }

  #takeHeader(
    volume: Volume,
    offset: number,
    haveBytes: number,
    into: Uint8Array,
  ): FrameVerdict | Promise<FrameVerdict> {
    const verdict = judgeFrameHeader(this.#header, this.#view, this.#expected);
    if (verdict !== "ok") return verdict;
    const lengthBytes = frameLengthBytes(this.#view);
    this.lengthBytes = lengthBytes;
    if (BLOCK_BYTES + lengthBytes <= haveBytes) return this.#hold();
    const rounded = roundUp(lengthBytes, volume);
    // Padding must not reach the caller's buffer behind the bytes that are its own.
    const direct = rounded === lengthBytes && rounded <= into.length;
    const target = direct
      ? into.subarray(0, rounded)
      : this.#bytes.subarray(BLOCK_BYTES, BLOCK_BYTES + rounded);
    const pending = readVolume(volume, offset + BLOCK_BYTES, target);
    if (pending === undefined) return direct ? this.#check(target) : this.#hold();
    return pending.then(() => direct ? this.#check(target) : this.#hold());
  }

  #check(payload: Uint8Array): FrameVerdict {
    return crc32(payload) === framePayloadCrc(this.#view) ? "ok" : "torn";
  }

  #hold(): FrameVerdict {
    const end = BLOCK_BYTES + this.lengthBytes;
    const verdict = this.#check(this.#bytes.subarray(BLOCK_BYTES, end));
    if (verdict !== "ok") return verdict;
    this.#heldFrom = BLOCK_BYTES;
    this.#heldTo = end;
    return "ok";
  }
}

function roundUp(bytes: number, volume: Volume): number {
  return Math.ceil(bytes / volume.blockBytes) * volume.blockBytes;
}
