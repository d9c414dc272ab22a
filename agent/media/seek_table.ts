// The seek table: last frame of a media file, in the zstd seekable format 0.1.0, so that standard
// readers (zstd's contrib/seekable, indexed_zstd, ratarmount) can jump into it.
//
//   offset   bytes
//   0        4     magic 0x184D2A5E       } skippable frame
//   4        4     payload bytes: 8n + 9  }
//   8        8n    per frame: compressed bytes u32, decompressed bytes u32
//   8 + 8n   4     n
//   12 + 8n  1     descriptor: 0 (no checksums in the entries; the frames carry their own)
//   13 + 8n  4     magic 0x8F92EAB1
//
// Invariants: there is an entry for every frame before the table, in order; the compressed sizes
// add up to the table's own offset; skippable frames count with decompressed size 0, data frames
// with more than 0. Pure: no I/O.

import { assert } from "../../transport/ground/assert.ts";
import { MAX_SEEK_ENTRIES } from "./limits.ts";
import {
  damagedFrame,
  decodeSkippable,
  encodeSkippable,
  SKIPPABLE_HEADER_BYTES,
} from "./skippable_frame.ts";

export const SEEK_FOOTER_BYTES = 9;
const SEEK_FOOTER_MAGIC = 0x8f92eab1;
const ENTRY_BYTES = 8;

export interface SeekEntry {
  /** The whole frame, header included. */
  readonly compressedBytes: number;
  /** Tar bytes; 0 marks a skippable frame. */
  readonly tarBytes: number;
}

/** Encodes the table as one whole skippable frame. */
export function encodeSeekTable(entries: readonly SeekEntry[]): Uint8Array<ArrayBuffer> {
  assert(entries.length <= MAX_SEEK_ENTRIES, "a seek table stays within its limit");
  const payload = new Uint8Array(entries.length * ENTRY_BYTES + SEEK_FOOTER_BYTES);
  const view = new DataView(payload.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setUint32(at, entry.compressedBytes, true);
    view.setUint32(at + 4, entry.tarBytes, true);
    at += ENTRY_BYTES;
  }
  view.setUint32(at, entries.length, true);
  view.setUint8(at + 4, 0);
  view.setUint32(at + 5, SEEK_FOOTER_MAGIC, true);
  return encodeSkippable("seekTable", payload);
}

/**
 * From the file's last 9 bytes: how long the table's frame is.
 * @throws AgentError `damaged`
 */
export function seekTableBytes(footer: Uint8Array): number {
  if (footer.length !== SEEK_FOOTER_BYTES) {
    throw damagedFrame("seek table", `${footer.length} footer bytes`, "9");
  }
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength);
  const magic = view.getUint32(5, true);
  if (magic !== SEEK_FOOTER_MAGIC) {
    throw damagedFrame("seek table", `magic 0x${magic.toString(16)}`, "0x8f92eab1");
  }
  if (view.getUint8(4) !== 0) {
    throw damagedFrame("seek table", `descriptor ${view.getUint8(4)}`, "0");
  }
  const count = view.getUint32(0, true);
  if (count > MAX_SEEK_ENTRIES) {
    throw damagedFrame("seek table", `${count} entries`, `at most ${MAX_SEEK_ENTRIES}`);
  }
  return SKIPPABLE_HEADER_BYTES + count * ENTRY_BYTES + SEEK_FOOTER_BYTES;
}

/**
 * Decodes the table's frame.
 * @param bytesBefore offset of the table in its file: what the entries must add up to
 * @throws AgentError `damaged`
 */
export function decodeSeekTable(frame: Uint8Array, bytesBefore: number): SeekEntry[] {
  const payload = decodeSkippable("seekTable", frame);
  const tableBytes = seekTableBytes(payload.subarray(payload.length - SEEK_FOOTER_BYTES));
  if (tableBytes !== frame.length) {
    throw damagedFrame("seek table", `${frame.length} bytes`, `${tableBytes}`);
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const entries: SeekEntry[] = [];
  let sum = 0;
  for (let at = 0; at + ENTRY_BYTES <= payload.length - SEEK_FOOTER_BYTES; at += ENTRY_BYTES) {
    const entry = {
      compressedBytes: view.getUint32(at, true),
      tarBytes: view.getUint32(at + 4, true),
    };
    sum += entry.compressedBytes;
    entries.push(entry);
  }
  if (sum !== bytesBefore) {
    throw damagedFrame("seek table", `frames of ${sum} bytes`, `${bytesBefore} in the file`);
  }
  return entries;
}
