// The entry of a file system object as stat sees it.

import { assert } from "../../transport/ground/assert.ts";
import type { FileStat } from "../../transport/runtime/files.ts";
import type { Entry } from "../entry.ts";

/** The entry of an object that is no socket; `target` is that of a symlink. */
export function toEntry(path: Uint8Array, stat: FileStat, target: Uint8Array | null): Entry {
  const { type, mode, uid, gid, mtimeNs, ctimeNs, inode } = stat;
  assert(type !== "socket" && type !== "unknown", "a socket has no entry");
  const sizeBytes = type === "file" ? stat.sizeBytes : 0;
  const rdev = type === "character" || type === "block"
    ? { major: stat.rdevMajor, minor: stat.rdevMinor }
    : null;
  return { path, type, mode, uid, gid, sizeBytes, mtimeNs, ctimeNs, inode, target, rdev };
}
