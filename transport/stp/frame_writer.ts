// Writes frames into the slots of our own transmit ring, and keeps them until they may be
// overwritten: what is asked for again is written again, into the same slot, with the same bytes.
//
// What a medium may lose is copied into memory of its own, right after its checksum pulled it into
// the CPU cache; header and payload then go out in one write. A volume that retains what it took
// (memory of this machine) needs no copy: a large frame goes out from the caller's buffer, payload
// first, and a small one is composed, because one write then costs less than two.
//
// Invariants: a frame's memory is not changed while a write from it is under way (`isFree`). Memory is made at the first use of a
// place; later nothing is allocated per frame.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import type { Completion, Volume } from "../volume.ts";
import { viewOf } from "./block_fields.ts";
import type { ConnectionIds } from "./control_block.ts";
import { prepareFrameHeader, sealFrameHeader } from "./frame_header.ts";
import { BLOCK_BYTES, COMPOSE_BYTES_MAX } from "./limits.ts";
import { extentOffset, ringSlots, slotBytes, slotOfPlace, volumeOfPlace } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { writeVolume } from "./volume_io.ts";

/** One place of the ring: where it lies, and the frame that was written there last, kept. */
interface FramePlace {
  readonly volume: Volume;
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Header block, payload and padding of the frame. */
  image: Uint8Array;
  /** Writes from `bytes` that are under way. */
  writes: number;
}

export interface NewFrame {
  readonly place: number;
  readonly seq: number;
  readonly streamOffset: number;
}

export class FrameWriter {
  readonly #medium: StgMedium;
  readonly #ids: ConnectionIds;
  readonly #extentBytes: number;
  /** By place; those on volumes that retain stay empty. */
  readonly #places: (FramePlace | undefined)[];
  /** Header block and room for a composed payload, for the volumes that retain. */
  readonly #bytes = new Uint8Array(BLOCK_BYTES + COMPOSE_BYTES_MAX);
  readonly #view = viewOf(this.#bytes);
  readonly #header = this.#bytes.subarray(0, BLOCK_BYTES);

  constructor(medium: StgMedium, ids: ConnectionIds) {
    const { layout } = medium.identity;
    this.#medium = medium;
    this.#ids = ids;
    this.#extentBytes = extentOffset(layout, ids.local.host, ids.local.endpoint);
    prepareFrameHeader(this.#view, ids);
    this.#places = new Array<FramePlace | undefined>(ringSlots(layout));
  }

  /**
   * How many of `wantedBytes` the next frame takes: whole blocks when it is large, so that the
   * reader can take them into its own buffer.
   */
  frameBytes(wantedBytes: number): number {
    if (wantedBytes <= COMPOSE_BYTES_MAX) return wantedBytes;
    const whole = wantedBytes - (wantedBytes % BLOCK_BYTES);
    return Math.min(whole, this.#medium.identity.layout.payloadBytes);
  }

  /** False while a write of the place's last frame is under way. */
  isFree(place: number): boolean {
    return (this.#places[place]?.writes ?? 0) === 0;
  }

  /**
   * Writes a frame. `payload` has the length that `frameBytes` gave; it may change afterwards,
   * whether or not the write is complete.
   * @throws (or rejects) AgentError `volume`
   */
  write(frame: NewFrame, payload: Uint8Array): Completion {
    const { identity: { layout } } = this.#medium;
    const volume = this.#volumeOf(frame.place);
    const lengthBytes = payload.length;
    assert(lengthBytes > 0 && lengthBytes <= layout.payloadBytes, "a frame fits its slot");
    if (volume.retains) return this.#writeDirect(volume, frame, payload);
    const place = this.#places[frame.place] ??= this.#makePlace(frame.place);
    assert(place.writes === 0, "a frame's memory is used again when it was written");
    seal(place.bytes, place.view, frame, payload);
    const end = compose(place.bytes, payload, volume.blockBytes);
    if (place.image.length !== end) place.image = place.bytes.subarray(0, end);
    return this.#write(place);
  }

  /**
   * Writes the frame at `place` again, to the byte.
   * @returns false when it was not kept, because its volume retains it
   * @throws (or rejects) AgentError `volume`
   */
  writeAgain(place: number): Completion | false {
    const kept = this.#places[place];
    return kept === undefined ? false : this.#write(kept);
  }

  #writeDirect(volume: Volume, frame: NewFrame, payload: Uint8Array): undefined {
    const offset = this.#offsetOf(frame.place);
    seal(this.#bytes, this.#view, frame, payload);
    let pending: Completion;
    if (payload.length <= COMPOSE_BYTES_MAX) {
      const end = compose(this.#bytes, payload, volume.blockBytes);
      pending = writeVolume(volume, offset, this.#bytes.subarray(0, end));
    } else {
      pending = writeVolume(volume, offset + BLOCK_BYTES, payload) ??
        writeVolume(volume, offset, this.#header);
    }
    assert(pending === undefined, "a volume that retains is synchronous");
    return undefined;
  }

  #write(place: FramePlace): Completion {
    const pending = writeVolume(place.volume, place.offsetBytes, place.image);
    if (pending === undefined) return undefined;
    place.writes++;
    return pending.finally(() => {
      place.writes--;
    });
  }

  #makePlace(place: number): FramePlace {
    const volume = this.#volumeOf(place);
    const bytes = volume.allocate(slotBytes(this.#medium.identity.layout)).fill(0);
    const view = viewOf(bytes);
    prepareFrameHeader(view, this.#ids);
    const offsetBytes = this.#offsetOf(place);
    return { volume, offsetBytes, bytes, view, image: bytes, writes: 0 };
  }

  #volumeOf(place: number): Volume {
    const { identity: { layout }, volumes } = this.#medium;
    const volume = volumes[volumeOfPlace(layout, place)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    return volume;
  }

  #offsetOf(place: number): number {
    const { layout } = this.#medium.identity;
    return this.#extentBytes + slotOfPlace(layout, place) * slotBytes(layout);
  }
}

function seal(bytes: Uint8Array, view: DataView, frame: NewFrame, payload: Uint8Array): void {
  sealFrameHeader(bytes, view, {
    seq: frame.seq,
    streamOffset: frame.streamOffset,
    lengthBytes: payload.length,
    payloadCrc: crc32(payload),
  });
}

/** Puts the payload behind the header block. @returns where it ends, in whole blocks */
function compose(bytes: Uint8Array, payload: Uint8Array, blockBytes: number): number {
  const end = BLOCK_BYTES + payload.length;
  const roundedEnd = Math.ceil(end / blockBytes) * blockBytes;
  bytes.set(payload, BLOCK_BYTES);
  if (roundedEnd > end) bytes.fill(0, end, roundedEnd);
  return roundedEnd;
}
