// A file of the archive whose content is encrypted, as it is stored: what the server may know of
// it, then an age file (age-encryption.org/v1) whose content is the zstd frame that a plain one is.
//
//   offset bytes
//   0      4     magic 0x184D2A54, little-endian: a skippable frame (RFC 8878)
//   4      4     48, bytes of that frame's payload
//   8      4     version, 1
//   12     4     CRC-32 of everything from offset 16 on: damage shows without a key
//   16     8     bytes of the content
//   24     32    digest of name and content that the client made: equal ones tell equal content,
//                and nothing else to who does not have its key (client/sealed_log.ts)
//   56     8     magic and length of a sealed frame (media/sealed_frame.ts)
//   64     …     the age file: `tail -c +65 FILE | age -d -i IDENTITY | zstd -dc`
//
// Pure: no I/O and no keys.

import { AgentError } from "../../transport/ground/error.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import {
  ageFileOf,
  decodeSkippable,
  encodeSkippable,
  hasKind,
  SKIPPABLE_HEADER_BYTES,
} from "../media/mod.ts";

export const DIGEST_BYTES = 32;

const VERSION = 1;
const PAYLOAD_BYTES = 16 + DIGEST_BYTES;
const CHECKED_AT = 16;

/** Bytes before the encrypted frame; they say how long the content is. */
export const SEALED_FILE_HEAD_BYTES = SKIPPABLE_HEADER_BYTES + PAYLOAD_BYTES;

/** What can be known without a key. */
export interface SealedFile {
  readonly contentBytes: number;
  readonly digest: Uint8Array;
  /** The encrypted frame. */
  readonly frame: Uint8Array;
}

/** Is this stored file, of which the first bytes are given, encrypted? */
export function isSealedFile(bytes: Uint8Array): boolean {
  return hasKind("log", bytes);
}

/**
 * Completes a file whose encrypted frame stands after SEALED_FILE_HEAD_BYTES of room.
 * @param digest DIGEST_BYTES
 */
export function sealFile(
  file: Uint8Array<ArrayBuffer>,
  { contentBytes, digest }: Omit<SealedFile, "frame">,
): void {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  file.set(encodeSkippable("log", payload));
  const view = new DataView(file.buffer, file.byteOffset);
  view.setUint32(8, VERSION, true);
  view.setBigUint64(16, BigInt(contentBytes), true);
  file.set(digest, 24);
  view.setUint32(12, crc32(file.subarray(CHECKED_AT)), true);
}

/** @throws AgentError `damaged` */
export function openSealedFile(file: Uint8Array): SealedFile {
  const { contentBytes, digest } = readSealedHead(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (crc32(file.subarray(CHECKED_AT)) !== view.getUint32(12, true)) {
    throw damaged("another checksum", "that of its bytes");
  }
  const frame = file.subarray(SEALED_FILE_HEAD_BYTES);
  ageFileOf(frame);
  return { contentBytes, digest, frame };
}

/** From the first SEALED_FILE_HEAD_BYTES. @throws AgentError `damaged` */
export function readSealedHead(head: Uint8Array): Omit<SealedFile, "frame"> {
  decodeSkippable("log", head.subarray(0, SEALED_FILE_HEAD_BYTES));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw damaged(`version ${version}`, `${VERSION}`);
  const contentBytes = Number(view.getBigUint64(16, true));
  if (!Number.isSafeInteger(contentBytes)) throw damaged(`${contentBytes} bytes`, "a length");
  return { contentBytes, digest: head.subarray(24, 24 + DIGEST_BYTES) };
}

function damaged(found: string, wanted: string): AgentError {
  const message = `Cannot read an encrypted file of the log: found ${found}, need ${wanted}`;
  return new AgentError("damaged", message, {
    hint: "Run `agent wal verify --data` to see what else is damaged.",
  });
}
