// The frame table of a control block: what stands in which slot of the owner's transmit ring. One
// write of the block publishes cursor and descriptors together; the slots hold payload only.
//
// The table begins at byte 512 of the block. Frame `seq` has entry `seq mod 64`, of 32 bytes:
//   0    8  sequence: 0, 1, 2, …      guards against the entry's previous lap
//   8    8  stream offset of the payload's first byte
//   16   4  length of the payload, 1 .. payloadBytes
//   20   4  CRC-32 of the payload     guards against a torn, flipped, lost or late payload
//   24   4  slot on volume `seq mod n`; 2^32 - 1: the payload stands in this block
//   28   4  CRC-32 of who is connected (see `connectionSeed`) and of bytes 0 .. 27
// Behind the table, from byte 2560 to the end of the block, stands the payload of at most one frame
// that is not acknowledged: a small one, so that a message costs one write and one read. The bytes
// behind it keep what earlier ones left.
//
// Invariants: `==` on the sequence, never `>=`: the entry of the previous lap is also valid. An
// entry of another connection, of another generation or of the other direction fails its CRC.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import { readU64, viewOf, writeU64 } from "./block_fields.ts";
import type { EndpointId } from "./control_block.ts";
import {
  FRAME_ENTRIES,
  FRAME_ENTRY_BYTES,
  FRAME_TABLE_OFFSET,
  INLINE_BYTES_MAX,
  INLINE_OFFSET,
} from "./limits.ts";

/** In place of a slot: the payload stands in the control block. */
export const INLINE_SLOT = 0xffff_ffff;

const ENTRY_CRC_OFFSET = FRAME_ENTRY_BYTES - 4;

/** Why a frame cannot be taken; "ok" when it can. */
export type FrameVerdict =
  | "ok"
  | "torn" // a checksum is wrong: not all of it is there (yet), or it is of another connection
  | "stale" // the entry of another sequence: of the previous lap
  | "damaged"; // checksum right, content impossible

/** Writable: each reader and writer keeps one and fills it anew. */
export class FrameEntry {
  seq = 0;
  streamOffset = 0;
  lengthBytes = 0;
  payloadCrc = 0;
  slot = 0;
}

/** What the receiver knows of the frame before it looks. */
export interface ExpectedFrame {
  readonly seq: number;
  readonly streamOffset: number;
  readonly payloadBytes: number;
  readonly slotsPerVolume: number;
}

/** What the checksum of each entry begins with: both endpoints with their generations. */
export function connectionSeed(sender: EndpointId, receiver: EndpointId): number {
  const bytes = new Uint8Array(32);
  const view = viewOf(bytes);
  [sender, receiver].forEach((id, index) => {
    view.setUint32(index * 16, id.host, true);
    view.setUint32(index * 16 + 4, id.endpoint, true);
    view.setUint32(index * 16 + 8, id.boot, true);
    view.setUint32(index * 16 + 12, id.generation, true);
  });
  return crc32(bytes);
}

/** The table inside the image of a control block. */
export class FrameTable {
  readonly #view: DataView;
  /** What each entry's checksum covers, cut once: nothing is allocated per frame. */
  readonly #covered: readonly Uint8Array[];
  readonly #seed: number;
  readonly #inline: Uint8Array;

  /** `block` is the whole image, `seed` of `connectionSeed`. */
  constructor(block: Uint8Array, seed: number) {
    const end = FRAME_TABLE_OFFSET + FRAME_ENTRIES * FRAME_ENTRY_BYTES;
    const table = block.subarray(FRAME_TABLE_OFFSET, end);
    this.#view = viewOf(table);
    this.#seed = seed;
    this.#inline = block.subarray(INLINE_OFFSET);
    this.#covered = Array.from({ length: FRAME_ENTRIES }, (_, index) => {
      const start = index * FRAME_ENTRY_BYTES;
      return table.subarray(start, start + ENTRY_CRC_OFFSET);
    });
  }

  write(entry: FrameEntry): void {
    const index = entry.seq % FRAME_ENTRIES;
    const start = index * FRAME_ENTRY_BYTES;
    const view = this.#view;
    writeU64(view, start, entry.seq);
    writeU64(view, start + 8, entry.streamOffset);
    view.setUint32(start + 16, entry.lengthBytes, true);
    view.setUint32(start + 20, entry.payloadCrc, true);
    view.setUint32(start + 24, entry.slot, true);
    view.setUint32(start + ENTRY_CRC_OFFSET, this.#crcOf(index), true);
  }

  /** Puts the payload of a frame whose entry says INLINE_SLOT into the block. */
  writeInline(payload: Uint8Array): void {
    this.#inline.set(payload);
  }

  /** The payload of such a frame; its checksum is still to be looked at. */
  inlinePayload(lengthBytes: number): Uint8Array {
    return this.#inline.subarray(0, lengthBytes);
  }

  /** Fills `into` when the entry is that of the expected frame ("ok"). */
  read(expected: ExpectedFrame, into: FrameEntry): FrameVerdict {
    const index = expected.seq % FRAME_ENTRIES;
    const start = index * FRAME_ENTRY_BYTES;
    const view = this.#view;
    if (view.getUint32(start + ENTRY_CRC_OFFSET, true) !== this.#crcOf(index)) return "torn";
    if (readU64(view, start) !== expected.seq) return "stale";
    const lengthBytes = view.getUint32(start + 16, true);
    const slot = view.getUint32(start + 24, true);
    const room = slot === INLINE_SLOT ? INLINE_BYTES_MAX : expected.payloadBytes;
    const possible = lengthBytes > 0 && lengthBytes <= Math.min(room, expected.payloadBytes) &&
      (slot === INLINE_SLOT || slot < expected.slotsPerVolume) &&
      readU64(view, start + 8) === expected.streamOffset;
    if (!possible) return "damaged";
    into.seq = expected.seq;
    into.streamOffset = expected.streamOffset;
    into.lengthBytes = lengthBytes;
    into.payloadCrc = view.getUint32(start + 20, true);
    into.slot = slot;
    return "ok";
  }

  #crcOf(index: number): number {
    const covered = this.#covered[index];
    assert(covered !== undefined, "the table has an entry for each sequence");
    return crc32(covered, this.#seed);
  }
}
