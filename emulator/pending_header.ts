// Codec of the first page of `pending.map`. No I/O. Little-endian, the rest of the page zero:
//
//   offset bytes field
//        0     8 magic "AGTPENDG"   another kind of file
//        8     4 version, 1         laid out by another program version
//       12     4 0
//       16    16 array uuid         the map of another array
//       32     4 CRC-32 of 0..32    a header that is itself damaged
//
// Behind it, 2 bytes per track in the order of the cylinders: a bitmap of the records that are not
// on the device, because they are write pending or because they were lost.

import { crc32 } from "../transport/ground/crc32.ts";
import { AgentError } from "../transport/ground/error.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { RECORD_BYTES, TRACKS_PER_CYLINDER } from "./limits.ts";
import { bytesToUuid, uuidToBytes } from "./uuid.ts";

export const PENDING_HEADER_BYTES = RECORD_BYTES;
export const PENDING_VERSION = 1;
/** Bytes of one track's bitmap. */
export const PENDING_ENTRY_BYTES = 2;

const MAGIC = new TextEncoder().encode("AGTPENDG");
const CHECKSUM_OFFSET = 32;

/** Bytes of the whole file; all of it but the first page is a hole at first. */
export function pendingMapBytes(geometry: ArrayGeometry): number {
  return PENDING_HEADER_BYTES + geometry.cylinders * TRACKS_PER_CYLINDER * PENDING_ENTRY_BYTES;
}

export function encodePendingHeader(uuid: string): Uint8Array {
  const bytes = new Uint8Array(PENDING_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, PENDING_VERSION, true);
  bytes.set(uuidToBytes(uuid), 16);
  view.setUint32(CHECKSUM_OFFSET, crc32(bytes.subarray(0, CHECKSUM_OFFSET)), true);
  return bytes;
}

/**
 * Checks that a header is that of the array `uuid`.
 * @param path names the file in errors
 * @throws AgentError `damaged` | `unsupported` | `mismatch`
 */
export function checkPendingHeader(bytes: Uint8Array, uuid: string, path: string): void {
  if (bytes.length !== PENDING_HEADER_BYTES) {
    throw refuse("damaged", path, `${bytes.length} bytes of header`, `${PENDING_HEADER_BYTES}`);
  }
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw refuse("damaged", path, "another kind of file", 'a file that begins with "AGTPENDG"');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version !== PENDING_VERSION) {
    throw refuse("unsupported", path, `version ${version}`, `${PENDING_VERSION}`);
  }
  const found = view.getUint32(CHECKSUM_OFFSET, true);
  const wanted = crc32(bytes.subarray(0, CHECKSUM_OFFSET));
  if (found !== wanted) throw refuse("damaged", path, `header checksum ${found}`, `${wanted}`);
  if (bytes.subarray(CHECKSUM_OFFSET + 4).some((byte) => byte !== 0)) {
    throw refuse("damaged", path, "bytes behind the header", "zeros");
  }
  const owner = bytesToUuid(bytes.subarray(16, 32));
  if (owner !== uuid) throw refuse("mismatch", path, `the map of array ${owner}`, `array ${uuid}`);
}

export function refuse(
  code: "damaged" | "unsupported" | "mismatch",
  path: string,
  found: string,
  wanted: string,
): AgentError {
  const hint = code === "unsupported"
    ? "Use the program version that wrote it."
    : "Run agent array repair: it makes the map anew from the memory boards.";
  return new AgentError(code, `Cannot open pending map "${path}": ${found}, need ${wanted}`, {
    hint,
  });
}
