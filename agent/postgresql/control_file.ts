// The control file of a cluster, global/pg_control, as far as it says which cluster it is. Its
// header is the same in all versions (PostgreSQL's src/include/catalog/pg_control.h):
//
//   offset bytes
//   0      8     system identifier, of the byte order of the machine: little-endian
//   8      4     version of the file: 900 and above, below 10000 (a wrong byte order shows in it)

import { type Files, readSmallFile, SystemError } from "../../transport/runtime/mod.ts";
import { CONTROL_FILE_BYTES } from "./limits.ts";

const HEADER_BYTES = 12;
const VERSION_MIN = 900;
const VERSION_MAX = 9999;

/** The identifier, decimal; null for bytes that are no control file. Pure. */
export function systemIdentifierOf(bytes: Uint8Array): string | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version < VERSION_MIN || version > VERSION_MAX) return null;
  return view.getBigUint64(0, true).toString();
}

/** Of the cluster in `data`; null when there is none, or none that we may read. */
export function readSystemIdentifier(files: Files, data: string): string | null {
  try {
    const bytes = readSmallFile(files, `${data}/global/pg_control`, CONTROL_FILE_BYTES);
    return bytes === null ? null : systemIdentifierOf(bytes);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
