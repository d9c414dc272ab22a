// The frame header: one block in front of each payload, written after it. It lets a frame prove
// itself: a receiver takes it only when it is exactly the frame that it expects.
//
//   0   4  magic "STPF"
//   4   4  format version
//   8   4  sender: host            12  4  sender: endpoint
//   16  4  sender: generation of the host   20  4  sender: generation of the connection
//   24  4  receiver: generation of the host 28  4  receiver: generation of the connection
//   32  8  sequence: 0, 1, 2, …     guards against the slot's previous lap
//   40  8  stream offset of the first byte
//   48  4  length of the payload, 1 .. payloadBytes
//   52  4  flags: 1 = sent again (a retransmission)
//   56  4  CRC-32 of the payload    guards against a torn or flipped payload
//   60  4  CRC-32 of bytes 0 .. 59
//
// Invariant: `==` on every identity, never `>=`: the frame of the previous lap is also valid.

import { crc32 } from "../ground/crc32.ts";
import { readU64, writeU64 } from "./block_fields.ts";
import type { ConnectionIds } from "./control_block.ts";
import { FORMAT_VERSION } from "./limits.ts";

export const FRAME_HEADER_BYTES = 64;
const MAGIC = 0x46505453; // "STPF", little-endian

/** Why a slot does not hold the expected frame; "ok" when it does. */
export type FrameVerdict =
  | "ok"
  | "torn" // magic or a checksum is wrong: not all of it is there (yet)
  | "zombie" // of another connection or generation
  | "stale" // of this connection, another sequence: the previous lap, or a late write
  | "damaged"; // checksum right, content impossible

export interface FrameFields {
  readonly seq: number;
  readonly streamOffset: number;
  readonly lengthBytes: number;
  readonly payloadCrc: number;
}

/** Writes the parts that stay the same over the life of a connection. */
export function prepareFrameHeader(view: DataView, ids: ConnectionIds): void {
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, FORMAT_VERSION, true);
  view.setUint32(8, ids.local.host, true);
  view.setUint32(12, ids.local.endpoint, true);
  view.setUint32(16, ids.local.boot, true);
  view.setUint32(20, ids.local.generation, true);
  view.setUint32(24, ids.peer.boot, true);
  view.setUint32(28, ids.peer.generation, true);
}

/** Writes what changes with each frame, and the checksum. `header` is what `view` shows. */
export function sealFrameHeader(header: Uint8Array, view: DataView, fields: FrameFields): void {
  writeU64(view, 32, fields.seq);
  writeU64(view, 40, fields.streamOffset);
  view.setUint32(48, fields.lengthBytes, true);
  view.setUint32(52, 0, true);
  view.setUint32(56, fields.payloadCrc, true);
  view.setUint32(60, crc32(header.subarray(0, 60)), true);
}

/** Judges a header against what the receiver expects; `ids` are the receiver's own. */
export function judgeFrameHeader(
  header: Uint8Array,
  view: DataView,
  expected: {
    readonly ids: ConnectionIds;
    readonly seq: number;
    readonly streamOffset: number;
    readonly payloadBytes: number;
  },
): FrameVerdict {
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== FORMAT_VERSION) {
    return "torn";
  }
  if (view.getUint32(60, true) !== crc32(header.subarray(0, 60))) return "torn";
  const { local, peer } = expected.ids;
  const mine = view.getUint32(8, true) === peer.host &&
    view.getUint32(12, true) === peer.endpoint &&
    view.getUint32(16, true) === peer.boot &&
    view.getUint32(20, true) === peer.generation &&
    view.getUint32(24, true) === local.boot &&
    view.getUint32(28, true) === local.generation;
  if (!mine) return "zombie";
  if (readU64(view, 32) !== expected.seq) return "stale";
  const length = frameLengthBytes(view);
  if (length === 0 || length > expected.payloadBytes) return "damaged";
  return readU64(view, 40) === expected.streamOffset ? "ok" : "damaged";
}

/** Only after `judgeFrameHeader` said "ok". */
export function frameLengthBytes(view: DataView): number {
  return view.getUint32(48, true);
}

export function framePayloadCrc(view: DataView): number {
  return view.getUint32(56, true);
}
