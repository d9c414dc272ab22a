// The field types that the on-disk records share: 64-bit counts, uuids, texts, and the seal.
//
// Every record is 512 bytes, little-endian, and ends in a CRC-32 over the 508 bytes before it:
//   0    8  magic, says which record this is
//   8    4  format version
//   508  4  CRC-32 of bytes 0..507
// Bytes of a record that its table does not name are zero, and nobody reads them; so is the rest of
// its block, but for a control block's frame table.
// Invariants: the CRC is computed over the on-disk image, and last. 64-bit counts are two 32-bit
// words; above 2^53 they read as NaN, which no comparison accepts.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import { FORMAT_VERSION, RECORD_BYTES, RECORD_CRC_OFFSET } from "./limits.ts";

/** What a block turned out to be before its fields are looked at. */
export type RecordState =
  | "ok"
  | "empty" // all zero in the header: never written
  | "foreign" // another magic: not ours
  | "version" // ours, of another format version
  | "damaged"; // ours, checksum wrong: torn, or damaged

const TWO_POW_32 = 0x1_0000_0000;
/** Of each byte: idle daemons read some uuids in every beat. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A count up to 2^53 - 1 as two words. */
export function writeU64(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a 64-bit count is a safe integer");
  view.setUint32(offset, value % TWO_POW_32, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_POW_32), true);
}

/** @returns NaN when the value is not a safe integer. */
export function readU64(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  if (high >= 0x20_0000) return NaN;
  return high * TWO_POW_32 + view.getUint32(offset, true);
}

/** Eight ASCII characters. */
export function magicBytes(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  assert(bytes.length === 8, "a magic is eight bytes");
  return bytes;
}

/** 32 hexadecimal digits as 16 bytes. */
export function writeUuid(into: Uint8Array, offset: number, uuid: string): void {
  const digits = uuid.replaceAll("-", "");
  assert(/^[0-9a-f]{32}$/.test(digits), "a uuid is 32 hexadecimal digits");
  for (let i = 0; i < 16; i++) into[offset + i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
}

export function readUuid(from: Uint8Array, offset: number): string {
  return formatUuid(from.subarray(offset, offset + 16));
}

/** 16 bytes as lower-case hexadecimal with the usual dashes. */
export function formatUuid(bytes: Uint8Array): string {
  assert(bytes.length === 16, "a uuid is 16 bytes");
  let text = "";
  for (let at = 0; at < 16; at++) {
    if (at === 4 || at === 6 || at === 8 || at === 10) text += "-";
    text += HEX[bytes[at] ?? 0];
  }
  return text;
}

/** Writes {length u32, bytes}; a text that is too long is cut at a character. */
export function writeText(into: Uint8Array, offset: number, maxBytes: number, text: string): void {
  const field = into.subarray(offset + 4, offset + 4 + maxBytes);
  field.fill(0);
  const { written } = encoder.encodeInto(text, field);
  new DataView(into.buffer, into.byteOffset).setUint32(offset, written, true);
}

/** @returns null when the length or the encoding is wrong. */
export function readText(from: Uint8Array, offset: number, maxBytes: number): string | null {
  const length = new DataView(from.buffer, from.byteOffset).getUint32(offset, true);
  if (length > maxBytes) return null;
  try {
    return decoder.decode(from.subarray(offset + 4, offset + 4 + length));
  } catch {
    return null;
  }
}

export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Puts magic, version and, last, the CRC around the fields of a record. */
export function sealRecord(block: Uint8Array, view: DataView, magic: Uint8Array): void {
  block.set(magic, 0);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(RECORD_CRC_OFFSET, crc32(block.subarray(0, RECORD_CRC_OFFSET)), true);
}

/** Checks magic, version and CRC, in that order. */
export function checkRecord(block: Uint8Array, view: DataView, magic: Uint8Array): RecordState {
  assert(block.length >= RECORD_BYTES, "a record is read whole");
  for (let i = 0; i < 8; i++) {
    if (block[i] === magic[i]) continue;
    return view.getUint32(0, true) === 0 && view.getUint32(4, true) === 0 ? "empty" : "foreign";
  }
  if (view.getUint32(8, true) !== FORMAT_VERSION) return "version";
  const crc = crc32(block.subarray(0, RECORD_CRC_OFFSET));
  return view.getUint32(RECORD_CRC_OFFSET, true) === crc ? "ok" : "damaged";
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
