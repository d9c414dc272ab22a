// Skippable frames (RFC 8878, 3.1.2): where a media file keeps what is not tar. Every zstd decoder
// steps over them, so that stock tools see nothing but the tar stream.
//
//   offset bytes
//   0      4     magic: 0x184D2A50 to 0x184D2A5F, little-endian
//   4      4     payload bytes
//   8      n     payload
//
// Pure: no I/O.

import { AgentError } from "../../transport/ground/error.ts";

export const SKIPPABLE_HEADER_BYTES = 8;

/** The uses a media file makes of skippable frames. */
const SKIPPABLE_MAGIC = {
  label: 0x184d2a50,
  index: 0x184d2a51,
  trailer: 0x184d2a52,
  /** A data frame that is encrypted (sealed_frame.ts). */
  sealed: 0x184d2a53,
  /** What is readable of an encrypted file of a write-ahead log (wal/sealed_file.ts). */
  log: 0x184d2a54,
  /** Fixed by the zstd seekable format 0.1.0. */
  seekTable: 0x184d2a5e,
} as const;

export type SkippableKind = keyof typeof SKIPPABLE_MAGIC;

/** Do these first bytes of a frame say that it is a skippable one of ours? */
export function isSkippable(header: Uint8Array): boolean {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return Object.values(SKIPPABLE_MAGIC).some((magic) => magic === view.getUint32(0, true));
}

/** Puts `payload` into a skippable frame. */
export function encodeSkippable(
  kind: SkippableKind,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const frame = newSkippable(kind, payload.length);
  frame.set(payload, SKIPPABLE_HEADER_BYTES);
  return frame;
}

/**
 * A skippable frame whose payload is still to be filled in.
 * @param roomBytes bytes before it, for who puts something there
 */
export function newSkippable(
  kind: SkippableKind,
  payloadBytes: number,
  roomBytes = 0,
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(roomBytes + SKIPPABLE_HEADER_BYTES + payloadBytes);
  const view = new DataView(frame.buffer, roomBytes);
  view.setUint32(0, SKIPPABLE_MAGIC[kind], true);
  view.setUint32(4, payloadBytes, true);
  return frame;
}

/** Does a frame of this kind begin here? */
export function hasKind(kind: SkippableKind, bytes: Uint8Array): boolean {
  if (bytes.length < SKIPPABLE_HEADER_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) === SKIPPABLE_MAGIC[kind];
}

/**
 * Gives the payload of a whole skippable frame of the kind that is wanted.
 * @throws AgentError `damaged`
 */
export function decodeSkippable(kind: SkippableKind, frame: Uint8Array): Uint8Array {
  if (frame.length < SKIPPABLE_HEADER_BYTES) {
    throw damagedFrame(kind, `${frame.length} bytes`, "8 or more");
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const magic = view.getUint32(0, true);
  if (magic !== SKIPPABLE_MAGIC[kind]) {
    throw damagedFrame(kind, `magic 0x${magic.toString(16)}`, `0x${hex(kind)}`);
  }
  const payloadBytes = view.getUint32(4, true);
  if (payloadBytes !== frame.length - SKIPPABLE_HEADER_BYTES) {
    throw damagedFrame(kind, `size ${payloadBytes}`, `${frame.length - SKIPPABLE_HEADER_BYTES}`);
  }
  return frame.subarray(SKIPPABLE_HEADER_BYTES);
}

function hex(kind: SkippableKind): string {
  return SKIPPABLE_MAGIC[kind].toString(16);
}

/** The one shape of all complaints about a media file's frames. */
export function damagedFrame(what: string, found: string, wanted: string): AgentError {
  return new AgentError("damaged", `Cannot read media frame "${what}": ${found}, need ${wanted}`, {
    hint: "Run `agent verify` for the backup; restore from another one if it is damaged.",
  });
}
