// Paths as the kernel takes them: bytes that end in NUL, in a buffer that is used again.
//
// A path with a NUL inside would name another file than the caller meant: it is refused.

import { PATH_BYTES } from "./limits.ts";
import { type PathBytes, SystemError } from "./files.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A reusable buffer for one path; a call with two paths needs two of them. */
export class PathBuffer {
  /** One longer than the limit, so that a path of exactly the limit is seen to be too long. */
  readonly #bytes = new Uint8Array(PATH_BYTES + 1);

  /**
   * @returns the buffer with `path` and a NUL at its start; valid until the next call
   * @throws SystemError EINVAL for a NUL inside, ENAMETOOLONG from 4096 bytes on
   */
  set(path: PathBytes): Uint8Array {
    const length = typeof path === "string" ? this.#setText(path) : this.#setBytes(path);
    if (length >= PATH_BYTES) throw new SystemError("ENAMETOOLONG", "path", pathText(path));
    this.#bytes[length] = 0;
    return this.#bytes;
  }

  #setText(path: string): number {
    if (path.includes("\0")) throw new SystemError("EINVAL", "path", pathText(path));
    const { read, written } = encoder.encodeInto(path, this.#bytes);
    return read < path.length ? PATH_BYTES : written;
  }

  #setBytes(path: Uint8Array): number {
    if (path.includes(0)) throw new SystemError("EINVAL", "path", pathText(path));
    if (path.length < PATH_BYTES) this.#bytes.set(path);
    return path.length;
  }
}

/** The path for people: bytes that are not UTF-8 show as U+FFFD. */
export function pathText(path: PathBytes): string {
  return typeof path === "string" ? path : decoder.decode(path);
}
