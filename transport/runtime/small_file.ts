// Reads a file whole that is known to be small: configurations, keys, what the kernel tells in
// /proc and /sys. Such files need not say their size, so they are read until they end.
//
// Invariant: never more than one byte beyond the limit is held.

import { AT_CWD, type Files, type PathBytes } from "./files.ts";

/** Room at first, in bytes: most such files need no more. */
const FIRST_BYTES = 4096;

/**
 * @param bytesMax more is not read
 * @returns null when the file has more than `bytesMax` bytes
 * @throws SystemError when it cannot be opened or read
 */
export function readSmallFile(
  files: Pick<Files, "open" | "read" | "close">,
  path: PathBytes,
  bytesMax: number,
): Uint8Array | null {
  const descriptor = files.open(AT_CWD, path, { access: "read" });
  try {
    let bytes: Uint8Array = new Uint8Array(Math.min(FIRST_BYTES, bytesMax + 1));
    for (let length = 0;;) {
      const count = files.read(descriptor, bytes.subarray(length));
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length > bytesMax) return null;
      if (length === bytes.length) bytes = grown(bytes, bytesMax + 1);
    }
  } finally {
    files.close(descriptor);
  }
}

function grown(bytes: Uint8Array, limitBytes: number): Uint8Array {
  const larger = new Uint8Array(Math.min(bytes.length * 2, limitBytes));
  larger.set(bytes);
  return larger;
}
