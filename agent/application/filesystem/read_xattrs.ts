// The extended attributes of an object of the source: all that the kernel shows us.

import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files, XattrSubject } from "../../../transport/runtime/files.ts";
import type { Xattr } from "../../entry.ts";
import { MAX_XATTR_BYTES } from "../../tar/mod.ts";
import type { ApplicationWarning } from "../application.ts";
import { nameSome } from "../name_some.ts";

export interface ReadXattrs {
  readonly xattrs: readonly Xattr[];
  /** What could not be read and why; null when that is nothing. */
  readonly missed: string | null;
}

const decoder = new TextDecoder();
const NONE: ReadXattrs = { xattrs: [], missed: null };

/** Reads all that can be read; never throws for what cannot. */
export function readXattrs(files: Files, subject: XattrSubject): ReadXattrs {
  let names: readonly Uint8Array[];
  try {
    names = files.xattrs.list(subject);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { xattrs: [], missed: `the list of attributes (${error.errno})` };
  }
  if (names.length === 0) return NONE; // As of most files.
  const xattrs: Xattr[] = [];
  const missed: string[] = [];
  let totalBytes = 0;
  const attempt = (what: string, read: () => void): void => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      missed.push(`${what} (${error.errno})`);
    }
  };
  for (const name of names) {
    attempt(decoder.decode(name), () => {
      const value = files.xattrs.get(subject, name);
      if (value === null) return;
      totalBytes += name.length + value.length;
      if (totalBytes <= MAX_XATTR_BYTES) xattrs.push({ name, value });
    });
  }
  if (totalBytes > MAX_XATTR_BYTES) {
    missed.push(`${totalBytes} bytes in all, need at most ${MAX_XATTR_BYTES}`);
  }
  return { xattrs, missed: missed.length === 0 ? null : nameSome(missed) };
}

/** Names what `readXattrs` missed of an object that is stored. */
export function warnMissed(
  onWarning: (warning: ApplicationWarning) => void,
  path: Uint8Array,
  missed: string | null,
): void {
  if (missed === null) return;
  onWarning({ code: "unread_xattr", path, message: `not stored: ${missed}` });
}
