// Judges what a process puts into its transmit slots, against what its control blocks say of them.
//
// Rules:
//  1. A frame is announced only after its write completed, and its descriptor is of what was
//     written (publish after completion).
//  2. A slot that holds an announced frame is written again only when the reader said that it took
//     the frame (the reader's cursor is the permission), or with the same bytes (retransmission).
//  3. A write that failed lands, if it lands, before its extent serves another connection.

import { crc32 } from "../../transport/ground/crc32.ts";
import { readU64, viewOf } from "../../transport/stp/block_fields.ts";
import type { ControlBlock } from "../../transport/stp/control_block.ts";
import { INLINE_SLOT } from "../../transport/stp/frame_entry.ts";
import {
  FRAME_ENTRIES,
  FRAME_ENTRY_BYTES,
  FRAME_TABLE_OFFSET,
  INLINE_OFFSET,
} from "../../transport/stp/limits.ts";
import { type StgLayout, volumeOfFrame } from "../../transport/stp/stg_layout.ts";

/** One write into a slot. */
export interface SlotWrite {
  readonly endpoint: number;
  readonly volumeIndex: number;
  readonly slot: number;
  readonly image: Uint8Array;
}

/** What a process wrote last into a slot, as far as it knows. */
interface SlotRecord {
  readonly image: Uint8Array;
  done: boolean;
}

/** A descriptor of an announced frame. */
interface Announced {
  readonly seq: number;
  readonly lengthBytes: number;
  readonly payloadCrc: number;
  readonly place: string;
}

/** The slots of one process. Complaints go to `complain`. */
export class FrameRules {
  readonly #layout: StgLayout;
  readonly #complain: (what: string) => void;
  readonly #slots = new Map<string, SlotRecord>();
  /** By endpoint: what its newest control block announces and nobody is known to have taken. */
  readonly #announced = new Map<number, Announced[]>();
  again = 0;

  constructor(layout: StgLayout, complain: (what: string) => void) {
    this.#layout = layout;
    this.#complain = complain;
  }

  /** `consumed`: what the reader's newest control block says. @returns call it when it is done */
  write(write: SlotWrite, consumed: number): () => void {
    const place = `${write.endpoint}/${write.volumeIndex}/${write.slot}`;
    const held = this.#announced.get(write.endpoint)?.find((frame) =>
      frame.place === place && frame.seq >= consumed
    );
    if (held !== undefined) {
      this.again++;
      if (!isFrame(write.image, held)) {
        this.#complain(`overwrote frame ${held.seq} of endpoint ${write.endpoint}, not yet taken`);
      }
    }
    const old = this.#slots.get(place);
    const record = { image: write.image, done: false };
    // The same bytes again: what was on the volume once stays announced.
    if (held !== undefined && old?.done === true) record.done = true;
    this.#slots.set(place, record);
    return () => record.done = true;
  }

  /** Our control block goes out: `image` is the whole block, `before` the one before it. */
  publish(block: ControlBlock, image: Uint8Array, before: ControlBlock | undefined): void {
    const { endpoint } = block.self;
    const same = before !== undefined && before.self.generation === block.self.generation &&
      before.self.boot === block.self.boot;
    const known = same ? this.#announced.get(endpoint) ?? [] : [];
    const first = same ? before.producedFrames : 0;
    // The daemon ends what a killed worker left: the frames are the worker's.
    if (block.kind === "aborted" && (!same || before.kind === "aborted")) return;
    const view = viewOf(image);
    for (let seq = first; seq < block.producedFrames; seq++) {
      const frame = this.#entryOf(image, view, endpoint, seq);
      if (frame !== null) known.push(frame);
    }
    this.#announced.set(endpoint, known.slice(-FRAME_ENTRIES));
  }

  #entryOf(image: Uint8Array, view: DataView, endpoint: number, seq: number): Announced | null {
    const at = FRAME_TABLE_OFFSET + (seq % FRAME_ENTRIES) * FRAME_ENTRY_BYTES;
    const slotNumber = view.getUint32(at + 24, true);
    const place = `${endpoint}/${volumeOfFrame(this.#layout, seq)}/${slotNumber}`;
    const frame = {
      seq,
      lengthBytes: view.getUint32(at + 16, true),
      payloadCrc: view.getUint32(at + 20, true),
      place,
    };
    const slot = this.#slots.get(place);
    const written = slotNumber === INLINE_SLOT
      ? isFrame(image.subarray(INLINE_OFFSET), frame)
      : slot !== undefined && slot.done && isFrame(slot.image, frame);
    if (written && readU64(view, at) === seq) return frame;
    this.#complain(`announced frame ${seq} of endpoint ${endpoint} that it has not written`);
    return null;
  }
}

function isFrame(image: Uint8Array, frame: Announced): boolean {
  const { lengthBytes, payloadCrc } = frame;
  return lengthBytes <= image.length && crc32(image.subarray(0, lengthBytes)) === payloadCrc;
}
