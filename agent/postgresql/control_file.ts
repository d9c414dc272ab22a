// The control file of a cluster, global/pg_control, as far as it says which cluster it is, and what
// only those know who may read the cluster. Its header is the same in all versions (PostgreSQL's
// src/include/catalog/pg_control.h), the secret in those that are backed up here:
//
//   offset bytes
//   0      8     system identifier, of the byte order of the machine: little-endian
//   8      4     version of the file: 900 and above, below 10000 (a wrong byte order shows in it)
//   256    32    random bytes that initdb made ("mock authentication nonce"): the same for the life
//                of the cluster, on its standbys too. In version 1800 they begin one byte later: it
//                is the signedness of characters, which does not change either, and their first 31

import { type Files, readSmallFile, SystemError } from "../../transport/runtime/mod.ts";
import { CONTROL_FILE_BYTES } from "./limits.ts";

const HEADER_BYTES = 12;
const VERSION_MIN = 900;
const VERSION_MAX = 9999;
/** 1300 is that of PostgreSQL 13 to 17, 1800 that of 18; nothing was between them. */
const SECRET_VERSIONS = { first: 1300, last: 1800 };
const SECRET_AT = 256;
const SECRET_BYTES = 32;

/** The identifier, decimal; null for bytes that are no control file. Pure. */
export function systemIdentifierOf(bytes: Uint8Array): string | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version < VERSION_MIN || version > VERSION_MAX) return null;
  return view.getBigUint64(0, true).toString();
}

/** What only who may read the cluster knows; null for bytes in which it is not known. Pure. */
export function clusterSecretOf(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length < SECRET_AT + SECRET_BYTES || systemIdentifierOf(bytes) === null) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version < SECRET_VERSIONS.first || version > SECRET_VERSIONS.last) return null;
  const secret = bytes.slice(SECRET_AT, SECRET_AT + SECRET_BYTES);
  return secret.every((byte) => byte === 0) ? null : secret;
}

/** Of the cluster in `data`; null when there is none, or none that we may read. */
export function readSystemIdentifier(files: Files, data: string): string | null {
  const bytes = readControlFile(files, data);
  return bytes === null ? null : systemIdentifierOf(bytes);
}

/** The control file of the cluster in `data`; null when there is none, or none that we may read. */
export function readControlFile(files: Files, data: string): Uint8Array | null {
  try {
    return readSmallFile(files, `${data}/global/pg_control`, CONTROL_FILE_BYTES);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
