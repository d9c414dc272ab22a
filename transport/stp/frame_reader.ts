// Reads the expected frame out of the peer's transmit ring, one at a time: for synchronous volumes,
// where no time is lost by that. frame_prefetch.ts reads several at once.
//
// Invariants: bytes count only after descriptor and payload proved themselves. A payload that fits
// the caller's buffer is read into it directly; otherwise it is held here and served in parts.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import type { Volume } from "../volume.ts";
import { FrameEntry, type FrameVerdict, INLINE_SLOT } from "./frame_entry.ts";
import { slotOffset, volumeOfFrame } from "./stg_layout.ts";
import type { StpLink } from "./stp_link.ts";
import { readVolume } from "./volume_io.ts";

export class FrameReader {
  readonly #link: StpLink;
  readonly #entry = new FrameEntry();
  /** The payload of a frame that the caller's buffer cannot take. */
  #held: Uint8Array | undefined;
  #heldFrom = 0;
  #heldTo = 0;

  constructor(link: StpLink) {
    this.#link = link;
  }

  /** Length of the frame that was read last. */
  get lengthBytes(): number {
    return this.#entry.lengthBytes;
  }

  /** The slot of frame `seq` when its descriptor was the last that was found, else -1. */
  slotOf(seq: number): number {
    return this.#entry.lengthBytes > 0 && this.#entry.seq === seq ? this.#entry.slot : -1;
  }

  /** Bytes of the last frame that were not served yet. */
  get heldBytes(): number {
    return this.#heldTo - this.#heldFrom;
  }

  /** Copies held bytes. @returns their count */
  serve(into: Uint8Array): number {
    const count = Math.min(into.length, this.heldBytes);
    into.set(this.#heldBytes().subarray(this.#heldFrom, this.#heldFrom + count));
    this.#heldFrom += count;
    return count;
  }

  /**
   * Reads the next frame into `into` when it is long enough, else into the held buffer
   * (`heldBytes` is then above 0). With any other verdict than "ok", `into` may hold garbage. A
   * promise comes back only from an asynchronous volume.
   * @throws (or rejects) AgentError `volume`
   */
  read(into: Uint8Array): FrameVerdict | Promise<FrameVerdict> {
    assert(this.heldBytes === 0, "a held frame is served before the next one is read");
    const { medium: { identity: { layout }, volumes }, ids } = this.#link;
    const entry = this.#entry;
    const { receive } = this.#link;
    const found = this.#link.findFrame(receive.frames, receive.bytes, entry);
    if (found !== "ok") return found;
    if (entry.slot === INLINE_SLOT) return this.#readInline(into);
    const volume = volumes[volumeOfFrame(layout, entry.seq)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    const rounded = roundUp(entry.lengthBytes, volume);
    // Padding must not reach the caller's buffer behind the bytes that are its own.
    const direct = rounded === entry.lengthBytes && rounded <= into.length;
    const room = direct ? into : this.#heldBytes();
    const target = room.length === rounded ? room : room.subarray(0, rounded);
    const pending = readVolume(volume, slotOffset(layout, ids.peer, entry.slot), target);
    if (pending === undefined) return this.#check(target, direct);
    return pending.then(() => this.#check(target, direct));
  }

  #readInline(into: Uint8Array): FrameVerdict {
    const { lengthBytes } = this.#entry;
    const direct = lengthBytes <= into.length;
    const target = direct ? into : this.#heldBytes();
    target.set(this.#link.inlinePayload(lengthBytes));
    return this.#check(target, direct);
  }

  #check(target: Uint8Array, direct: boolean): FrameVerdict {
    const { lengthBytes, payloadCrc } = this.#entry;
    const payload = target.length === lengthBytes ? target : target.subarray(0, lengthBytes);
    if (crc32(payload) !== payloadCrc) return "torn";
    this.#heldFrom = 0;
    this.#heldTo = direct ? 0 : lengthBytes;
    return "ok";
  }

  #heldBytes(): Uint8Array {
    return this.#held ??= new Uint8Array(this.#link.medium.identity.layout.payloadBytes);
  }
}

function roundUp(bytes: number, volume: Volume): number {
  return Math.ceil(bytes / volume.blockBytes) * volume.blockBytes;
}
