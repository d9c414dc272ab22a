// The outside of a zstd frame (RFC 8878, 3.1.1), read without decompressing it: does it start with
// the magic, does it promise its content size and a checksum, and do its blocks end exactly where
// the bytes end? The server writes the client's frames unmodified, so this is what keeps a peer
// from putting anything else (two frames, half a frame, a bomb of unknown size) into the media.
//
//   offset bytes
//   0      4     magic 0xFD2FB528, little-endian
//   4      1     descriptor: bits 7-6 size of content size, 5 single segment, 4 unused (0),
//                3 reserved (0), 2 content checksum, 1-0 size of dictionary id
//   5      0-1   window descriptor (absent with single segment)
//          0-4   dictionary id (must be absent here)
//          0-8   content size
//          …     blocks: 3-byte header (bit 0 last, bits 1-2 type, bits 3-23 size), content
//          4     low half of XXH64 of the content
//
// Pure: no I/O.

import { damagedFrame } from "./skippable_frame.ts";

const ZSTD_MAGIC = 0xfd2fb528;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;
const CHECKSUM_BYTES = 4;

/** Longest possible header in bytes: enough to read for `readZstdHeader`. */
export const ZSTD_HEADER_MAX_BYTES = 18;

export interface ZstdHeader {
  readonly headerBytes: number;
  /** Decompressed size of the frame. */
  readonly contentBytes: number;
}

/**
 * Reads a frame's header from its first bytes.
 * @throws AgentError `damaged` without magic, content size or checksum, or with a dictionary
 */
export function readZstdHeader(bytes: Uint8Array): ZstdHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6) throw damagedFrame("data", `${bytes.length} bytes`, "6 or more");
  const magic = view.getUint32(0, true);
  if (magic !== ZSTD_MAGIC) {
    throw damagedFrame("data", `magic 0x${magic.toString(16)}`, "zstd's 0xfd2fb528");
  }
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  if ((descriptor & 0x18) !== 0) throw damagedFrame("data", "a reserved bit", "0");
  if ((descriptor & 0x04) === 0) throw damagedFrame("data", "no checksum", "a content checksum");
  if ((descriptor & 0x03) !== 0) throw damagedFrame("data", "a dictionary", "none");
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0) throw damagedFrame("data", "no content size", "a content size");
  const at = singleSegment ? 5 : 6;
  if (bytes.length < at + sizeBytes) {
    throw damagedFrame("data", `${bytes.length} bytes`, `a header of ${at + sizeBytes}`);
  }
  return { headerBytes: at + sizeBytes, contentBytes: readSize(view, at, sizeBytes) };
}

function readSize(view: DataView, at: number, sizeBytes: number): number {
  if (sizeBytes === 1) return view.getUint8(at);
  // RFC 8878, 3.1.1.1.4: the two-byte form starts at 256.
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  const size = view.getBigUint64(at, true);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw damagedFrame("data", `${size} bytes`, "less");
  return Number(size);
}

/**
 * Checks that `bytes` are exactly one zstd frame, by its header and block headers.
 * @returns the header
 * @throws AgentError `damaged`
 */
export function checkZstdFrame(bytes: Uint8Array): ZstdHeader {
  const header = measureZstdFrame(bytes);
  if (header.frameBytes !== bytes.length) {
    throw damagedFrame("data", `${bytes.length} bytes`, `one frame of ${header.frameBytes}`);
  }
  return header;
}

/**
 * Finds the length of the frame that `bytes` begin with, by its header and block headers.
 * @throws AgentError `damaged`, also when the block headers are not all there
 */
export function measureZstdFrame(
  bytes: Uint8Array,
): ZstdHeader & { readonly frameBytes: number } {
  const header = readZstdHeader(bytes);
  let at = header.headerBytes;
  for (let last = false; !last;) {
    if (at + 3 > bytes.length) throw damagedFrame("data", "a cut block header", "a whole frame");
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    last = (word & 1) !== 0;
    const type = (word >> 1) & 3;
    if (type === BLOCK_RESERVED) throw damagedFrame("data", "block type 3", "0, 1 or 2");
    at += 3 + (type === BLOCK_RLE ? 1 : word >> 3);
  }
  return { ...header, frameBytes: at + CHECKSUM_BYTES };
}
