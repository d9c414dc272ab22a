// Extended attributes on libc: what files.ts promises.
//
// Invariants:
//  1. Nothing is followed. A name in a directory is reached through the directory's entry below
//     /proc/self/fd, since no kernel before 6.13 has such calls with a directory: so the path stays
//     short however deep the directory lies, and fifos and devices are not opened.
//  2. The scratch buffer has the size of the kernel's own limit of names and of values.

import { ENODATA, ENOSYS, EOPNOTSUPP, ERANGE, errnoName } from "./errno.ts";
import { AT_CWD, SystemError } from "./files.ts";
import type { Xattrs, XattrSubject } from "./files.ts";
import type { Libc } from "./libc.ts";
import { XATTR_BYTES, XATTR_LIST_BYTES, XATTR_NAME_BYTES } from "./limits.ts";
import { PathBuffer, pathText } from "./path_bytes.ts";

const encoder = new TextEncoder();
const NONE: readonly Uint8Array[] = [];

export class LibcXattrs implements Xattrs {
  readonly #libc: Libc;
  readonly #path = new PathBuffer();
  readonly #name = new Uint8Array(XATTR_NAME_BYTES);
  readonly #value = new Uint8Array(XATTR_BYTES);

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  list(subject: XattrSubject): readonly Uint8Array[] {
    let count = this.#list(subject, XATTR_LIST_BYTES);
    if (count < 0 && this.#libc.errno() === ERANGE) count = this.#list(subject, XATTR_BYTES);
    if (count === 0) return NONE;
    if (count > 0) return splitNames(this.#value.subarray(0, count));
    const errno = this.#libc.errno();
    if (errno === EOPNOTSUPP || errno === ENOSYS) return NONE;
    throw failure(errno, "listxattr", subject);
  }

  get(subject: XattrSubject, name: Uint8Array): Uint8Array | null {
    const key = this.#nameOf(name);
    const count = typeof subject === "number"
      ? this.#libc.fgetxattr(subject, key, this.#value, XATTR_BYTES)
      : this.#libc.lgetxattr(this.#pathOf(subject), key, this.#value, XATTR_BYTES);
    if (count >= 0) return this.#value.slice(0, count);
    const errno = this.#libc.errno();
    if (errno === ENODATA) return null;
    throw failure(errno, "getxattr", subject);
  }

  set(subject: XattrSubject, name: Uint8Array, value: Uint8Array): void {
    const key = this.#nameOf(name);
    // Neither runtime is asked for the address of an empty array.
    const from = value.length === 0 ? this.#value : value;
    const result = typeof subject === "number"
      ? this.#libc.fsetxattr(subject, key, from, value.length, 0)
      : this.#libc.lsetxattr(this.#pathOf(subject), key, from, value.length, 0);
    if (result < 0) throw failure(this.#libc.errno(), "setxattr", subject);
  }

  remove(subject: XattrSubject, name: Uint8Array): void {
    const key = this.#nameOf(name);
    const result = typeof subject === "number"
      ? this.#libc.fremovexattr(subject, key)
      : this.#libc.lremovexattr(this.#pathOf(subject), key);
    if (result >= 0) return;
    const errno = this.#libc.errno();
    if (errno !== ENODATA) throw failure(errno, "removexattr", subject);
  }

  /** @returns count of bytes of the names, which begin the scratch buffer; negative on failure */
  #list(subject: XattrSubject, maxBytes: number): number {
    return typeof subject === "number"
      ? this.#libc.flistxattr(subject, this.#value, maxBytes)
      : this.#libc.llistxattr(this.#pathOf(subject), this.#value, maxBytes);
  }

  #pathOf({ directory, name }: Exclude<XattrSubject, number>): Uint8Array {
    if (directory === AT_CWD) return this.#path.set(name);
    const prefix = encoder.encode(`/proc/self/fd/${directory}/`);
    const bytes = typeof name === "string" ? encoder.encode(name) : name;
    const path = new Uint8Array(prefix.length + bytes.length);
    path.set(prefix);
    path.set(bytes, prefix.length);
    return this.#path.set(path);
  }

  #nameOf(name: Uint8Array): Uint8Array {
    if (name.length >= XATTR_NAME_BYTES || name.includes(0)) {
      throw new SystemError("ERANGE", "xattr name", pathText(name));
    }
    this.#name.set(name);
    this.#name[name.length] = 0;
    return this.#name;
  }
}

/** The names of a list, each of which ends in NUL; copies. */
function splitNames(list: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start < list.length;) {
    const end = list.indexOf(0, start);
    names.push(list.slice(start, end < 0 ? list.length : end));
    start = end < 0 ? list.length : end + 1;
  }
  return names;
}

function failure(errno: number, syscall: string, subject: XattrSubject): SystemError {
  const text = typeof subject === "number" ? `descriptor ${subject}` : pathText(subject.name);
  return new SystemError(errnoName(errno), syscall, text);
}
