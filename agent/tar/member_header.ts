// The headers of a member: a pax header when a value does not fit the ustar block, then the block.
//
// A member's name is the full path without its leading "/"; directories end with "/"; the root
// itself is "./". Extracting below a directory therefore rebuilds the tree, as with GNU tar's own
// archives. A hard link's linkname is its first name in the same form; a symlink's is its target as
// stored. Owners are numbers. Sparse files are GNU format 1.0 (sparse_map.ts).

import { assert } from "../../transport/ground/assert.ts";
import type { Entry, EntryType, Xattr } from "../entry.ts";
import { type SplitTime, splitTime } from "../split_time.ts";
import { MAX_OCTAL_11, MAX_OCTAL_7, NAME_BYTES, writeHeaderBlock } from "./header_block.ts";
import { encodePaxRecord, formatPaxTime } from "./pax_records.ts";
import { BLOCK_BYTES, encodeSparseMap, sparseDataBytes } from "./sparse_map.ts";
import type { SparseMap } from "./sparse_map.ts";
import { encodeXattrRecords } from "./xattr_records.ts";

const EMPTY = new Uint8Array(0);
const ROOT_NAME = new TextEncoder().encode("./");
const SLASH = 0x2f;
const PAX_NAME = new TextEncoder().encode("PaxHeaders/member");
const SPARSE_NAME = new TextEncoder().encode("GNUSparseFile.0/member");

const TYPEFLAGS: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** What a member's headers hold besides its entry. */
export interface MemberExtra {
  /** The data extents of a file that is stored sparse. */
  readonly sparse: SparseMap | null;
  /** At most MAX_XATTR_BYTES as records. */
  readonly xattrs: readonly Xattr[];
  /** The names of a directory (dumpdir.ts), for GNU tar to remove all others. */
  readonly dumpdir?: Uint8Array | undefined;
}

/** A header that means nothing: what a frame holds that carries notes alone. */
export function encodeFiller(): Uint8Array {
  const records = [encodePaxRecord("comment", "notes")];
  const bytes = records.reduce((sum, record) => sum + record.length, 0);
  const filler = new Uint8Array(BLOCK_BYTES + bytes + paddingBytes(bytes));
  writePaxHeader(filler, records, bytes, "g");
  return filler;
}

/** Bytes that make `count` a multiple of 512. */
export function paddingBytes(count: number): number {
  return (BLOCK_BYTES - count % BLOCK_BYTES) % BLOCK_BYTES;
}

/** The name of the member of `path`: see above. */
export function memberName(path: Uint8Array, type: EntryType): Uint8Array {
  assert(path[0] === SLASH, "paths are absolute");
  if (type !== "directory") return path.subarray(1);
  if (path.length === 1) return ROOT_NAME;
  const name = new Uint8Array(path.length);
  name.set(path.subarray(1));
  name[path.length - 1] = SLASH;
  return name;
}

/**
 * Everything of a member before its content: pax header if needed, header block, sparse map. The
 * content (the file's bytes, or those of its extents) follows, then `paddingBytes` of zeros.
 */
export function encodeMemberHeader(entry: Entry, extra: Partial<MemberExtra> = {}): Uint8Array {
  const { sparse = null, xattrs = [], dumpdir } = extra;
  const name = memberName(entry.path, entry.type);
  const mtime = splitTime(entry.mtimeNs);
  const linkname = linkName(entry);
  const map = sparse === null ? EMPTY : encodeSparseMap(sparse, entry.sizeBytes);
  const content = entry.type === "file" ? entry.sizeBytes : 0;
  const size = sparse === null ? content : map.length + sparseDataBytes(sparse);
  const pax = [
    ...paxRecords(entry, { name, linkname, size, sparse: sparse !== null, mtime }),
    ...encodeXattrRecords(xattrs),
    ...(dumpdir === undefined ? [] : [encodePaxRecord("GNU.dumpdir", dumpdir)]),
  ];
  const paxBytes = pax.reduce((sum, record) => sum + record.length, 0);
  const paxBlocks = paxBytes === 0 ? 0 : BLOCK_BYTES + paxBytes + paddingBytes(paxBytes);
  const header = new Uint8Array(paxBlocks + BLOCK_BYTES + map.length);
  if (paxBytes > 0) writePaxHeader(header, pax, paxBytes);
  writeHeaderBlock(header, paxBlocks, {
    name: sparse === null ? name : SPARSE_NAME,
    mode: entry.mode,
    uid: entry.uid > MAX_OCTAL_7 ? 0 : entry.uid,
    gid: entry.gid > MAX_OCTAL_7 ? 0 : entry.gid,
    size: size > MAX_OCTAL_11 ? 0 : size,
    mtimeSeconds: Math.min(Math.max(mtime.seconds, 0), MAX_OCTAL_11),
    typeflag: TYPEFLAGS[entry.type],
    linkname,
    major: entry.rdev?.major ?? 0,
    minor: entry.rdev?.minor ?? 0,
  });
  header.set(map, paxBlocks + BLOCK_BYTES);
  return header;
}

interface Fields {
  readonly name: Uint8Array;
  readonly linkname: Uint8Array;
  readonly size: number;
  readonly sparse: boolean;
  readonly mtime: SplitTime;
}

function paxRecords(entry: Entry, fields: Fields): Uint8Array[] {
  const records: Uint8Array[] = [];
  const add = (key: string, value: Uint8Array | string) =>
    records.push(encodePaxRecord(key, value));
  if (fields.sparse) {
    add("GNU.sparse.major", "1");
    add("GNU.sparse.minor", "0");
    add("GNU.sparse.name", fields.name);
    add("GNU.sparse.realsize", String(entry.sizeBytes));
  } else if (fields.name.length > NAME_BYTES) {
    add("path", fields.name);
  }
  if (fields.linkname.length > NAME_BYTES) add("linkpath", fields.linkname);
  if (fields.size > MAX_OCTAL_11) add("size", String(fields.size));
  if (entry.uid > MAX_OCTAL_7) add("uid", String(entry.uid));
  if (entry.gid > MAX_OCTAL_7) add("gid", String(entry.gid));
  const { seconds, nanoseconds } = fields.mtime;
  const inRange = seconds >= 0 && seconds <= MAX_OCTAL_11;
  if (nanoseconds > 0 || !inRange) add("mtime", formatPaxTime(entry.mtimeNs));
  return records;
}

function writePaxHeader(
  into: Uint8Array,
  records: Uint8Array[],
  bytes: number,
  typeflag: "x" | "g" = "x",
): void {
  writeHeaderBlock(into, 0, {
    name: PAX_NAME,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes,
    mtimeSeconds: 0,
    typeflag,
    linkname: EMPTY,
    major: 0,
    minor: 0,
  });
  let at = BLOCK_BYTES;
  for (const record of records) {
    into.set(record, at);
    at += record.length;
  }
}

function linkName(entry: Entry): Uint8Array {
  if (entry.type === "symlink") return entry.target ?? EMPTY;
  if (entry.type === "hardlink") return memberName(entry.target ?? EMPTY, "file");
  return EMPTY;
}
