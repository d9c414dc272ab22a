// A data frame of an encrypted backup: an age file (age-encryption.org/v1) whose content is one
// zstd frame, in a skippable frame, so that stock tools step from one to the next.
//
//   offset bytes
//   0      4     magic: 0x184D2A53, little-endian
//   4      4     n: bytes of the age file
//   8      n     the age file: header in text, then its payload (encryption/)
//
// Every frame is an age file of its own: each restores alone, a damaged one costs no other, and a
// file key is used for one file, as the age format wants it. Pure: no I/O, and no keys: what the
// server can tell without them.

import { damagedFrame, decodeSkippable, hasKind, newSkippable } from "./skippable_frame.ts";
import { SKIPPABLE_HEADER_BYTES } from "./skippable_frame.ts";

const FIRST_LINE = new TextEncoder().encode("age-encryption.org/v1\n");

/** First bytes of a sealed frame by which it is known: enough to read for `checkSealedHead`. */
export const SEALED_HEAD_BYTES = SKIPPABLE_HEADER_BYTES + FIRST_LINE.length;

/** Is this data frame encrypted? Plain ones begin with zstd's own magic. */
export function isSealed(frame: Uint8Array): boolean {
  return hasKind("sealed", frame);
}

/**
 * A sealed frame and the place in it that the age file is to fill.
 * @param roomBytes bytes before the frame, for who puts something there
 */
export function newSealedFrame(
  ageBytes: number,
  roomBytes = 0,
): { readonly frame: Uint8Array<ArrayBuffer>; readonly ageFile: Uint8Array<ArrayBuffer> } {
  const frame = newSkippable("sealed", ageBytes, roomBytes);
  return { frame, ageFile: frame.subarray(roomBytes + SKIPPABLE_HEADER_BYTES) };
}

/** The age file in a whole sealed frame. @throws AgentError `damaged` */
export function ageFileOf(frame: Uint8Array): Uint8Array {
  const ageFile = decodeSkippable("sealed", frame);
  checkFirstLine(ageFile);
  return ageFile;
}

/** Checks the first bytes of a frame of `frameBytes`. @throws AgentError `damaged` */
export function checkSealedHead(head: Uint8Array, frameBytes: number): void {
  if (!isSealed(head)) throw damagedFrame("sealed", "another magic", "0x184d2a53");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const ageBytes = view.getUint32(4, true);
  if (ageBytes !== frameBytes - SKIPPABLE_HEADER_BYTES) {
    throw damagedFrame("sealed", `size ${ageBytes}`, `${frameBytes - SKIPPABLE_HEADER_BYTES}`);
  }
  checkFirstLine(head.subarray(SKIPPABLE_HEADER_BYTES));
}

function checkFirstLine(ageFile: Uint8Array): void {
  if (FIRST_LINE.every((byte, at) => ageFile[at] === byte)) return;
  throw damagedFrame("sealed", "another first line", "age-encryption.org/v1");
}
