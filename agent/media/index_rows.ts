// Index rows as bytes: what the client says about the members that start in a frame, and what the
// media keep in a skippable frame so that the catalog can be made again from them.
//
//   offset  bytes  field                guards against
//        0      4  magic "LFIR"         foreign bytes
//        4      4  version (1, or 2 with notes)   a later format
//        8      4  count of rows        a lost tail
//       12      4  bytes of the body    a lost tail
//       16      4  CRC-32 of [0, 16) followed by the body: bit errors
//       20      n  body: the rows, varints (byte_cursor.ts), fixed parts little-endian
//
// A row: type (index in TYPES), path front-coded against the row before (bytes shared, bytes of
// suffix, suffix), mode, uid, gid, size, mtime (signed seconds, nanoseconds), ctime (same), inode,
// the target (length, bytes) of links, major and minor of devices, then the member's distance from
// the end of the member before (signed) and its length.
//
// Version 2 goes on with notes: their count, then of each its kind (index in NOTES) and its path,
// front-coded like those of the rows.
//
// Invariants: decode(encode(rows)) equals rows; any other bytes decode to an error, never to rows
// that break the limits; paths are absolute and hold no NUL.

import { assert } from "../../transport/ground/assert.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import type { Entry, EntryType, IndexNote, IndexPage, IndexRow } from "../entry.ts";
import { exactSeconds, splitTime } from "../split_time.ts";
import { MAX_PATH_BYTES } from "../tar/limits.ts";
import { ByteReader, ByteWriter } from "./byte_cursor.ts";

/** Rows in one encoding: a 4 MiB frame starts at most 8192 members, a group of frames 16 x. */
const MAX_INDEX_ROWS = 131_072;

/** Path bytes that one decode may produce: front coding must not turn a page into gigabytes. */
const MAX_INDEX_PATH_BYTES = 128 * 1024 * 1024;

const MAGIC = 0x5249464c; // "LFIR" read as little-endian
const VERSION = 1;
const VERSION_NOTES = 2;
const HEADER_BYTES = 20;
const NS_PER_SECOND = 1_000_000_000n;
const MAX_U32 = 0xffff_ffff;
const EMPTY = new Uint8Array(0);

/** The position is the code on disk: append only. */
const TYPES: readonly EntryType[] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "fifo",
  "character",
  "block",
];

/** The position is the code on disk: append only. */
const NOTES: readonly IndexNote["kind"][] = ["deleted", "unsettled"];

/** Encodes rows in the order given (front coding gains when that is the walk's). */
export function encodeIndexRows(
  rows: readonly IndexRow[],
  notes: readonly IndexNote[] = [],
): Uint8Array<ArrayBuffer> {
  assert(rows.length <= MAX_INDEX_ROWS, `${rows.length} rows are within the limit`);
  assert(notes.length <= MAX_INDEX_ROWS, `${notes.length} notes are within the limit`);
  const writer = new ByteWriter();
  writer.raw(new Uint8Array(HEADER_BYTES));
  let previousPath: Uint8Array = EMPTY;
  let previousEnd = 0;
  for (const row of rows) {
    writeEntry(writer, row.entry, previousPath);
    writer.signedNumber(row.tarOffset - previousEnd);
    writer.varint(row.tarBytes);
    previousPath = row.entry.path;
    previousEnd = row.tarOffset + row.tarBytes;
  }
  if (notes.length > 0) writer.varint(notes.length);
  for (const { kind, path } of notes) {
    writer.varint(NOTES.indexOf(kind));
    writePath(writer, path, previousPath);
    previousPath = path;
  }
  const bytes = writer.finish();
  const header = new DataView(bytes.buffer, 0, HEADER_BYTES);
  header.setUint32(0, MAGIC, true);
  header.setUint32(4, notes.length > 0 ? VERSION_NOTES : VERSION, true);
  header.setUint32(8, rows.length, true);
  header.setUint32(12, bytes.length - HEADER_BYTES, true);
  header.setUint32(16, checksum(bytes), true);
  return bytes;
}

/**
 * Decodes what `encodeIndexRows` made; the rows and notes own their bytes.
 * @throws AgentError `damaged` for anything else
 */
export function decodeIndexRows(bytes: Uint8Array): IndexPage {
  const reader = new ByteReader(bytes, "index rows", HEADER_BYTES);
  const { count, hasNotes } = readHeader(bytes, reader);
  const rows: IndexRow[] = [];
  let previousPath: Uint8Array = EMPTY;
  let previousEnd = 0;
  let pathBytes = 0;
  for (let index = 0; index < count; index++) {
    const entry = readEntry(reader, previousPath);
    pathBytes += entry.path.length;
    if (pathBytes > MAX_INDEX_PATH_BYTES) {
      throw reader.damaged(`more than ${MAX_INDEX_PATH_BYTES} bytes of paths, need fewer`);
    }
    const distance = Number(reader.signed("member offset"));
    const tarOffset = previousEnd + distance;
    if (!Number.isSafeInteger(tarOffset) || tarOffset < 0) {
      throw reader.damaged(`member offset ${tarOffset}, need a non-negative integer`);
    }
    const tarBytes = reader.varint("member length", Number.MAX_SAFE_INTEGER - tarOffset);
    rows.push({ entry, tarOffset, tarBytes });
    previousPath = entry.path;
    previousEnd = tarOffset + tarBytes;
  }
  const notes = hasNotes ? readNotes(reader, previousPath) : [];
  if (reader.left > 0) throw reader.damaged(`${reader.left} bytes after the last row, need none`);
  return { rows, notes };
}

function readNotes(reader: ByteReader, lastPath: Uint8Array): IndexNote[] {
  const count = reader.varint("count of notes", MAX_INDEX_ROWS);
  const notes: IndexNote[] = [];
  let previousPath = lastPath;
  let pathBytes = 0;
  for (let index = 0; index < count; index++) {
    const kind = NOTES[reader.varint("note", NOTES.length - 1)];
    assert(kind !== undefined, "the kind of note was checked");
    const path = readPath(reader, previousPath);
    pathBytes += path.length;
    if (pathBytes > MAX_INDEX_PATH_BYTES) {
      throw reader.damaged(`more than ${MAX_INDEX_PATH_BYTES} bytes of paths, need fewer`);
    }
    notes.push({ kind, path });
    previousPath = path;
  }
  return notes;
}

function checksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, 16)));
}

function readHeader(
  bytes: Uint8Array,
  reader: ByteReader,
): { readonly count: number; readonly hasNotes: boolean } {
  if (bytes.length < HEADER_BYTES) {
    throw reader.damaged(`${bytes.length} bytes, need at least ${HEADER_BYTES}`);
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (header.getUint32(0, true) !== MAGIC) throw reader.damaged("another magic, need LFIR");
  const version = header.getUint32(4, true);
  if (version !== VERSION && version !== VERSION_NOTES) {
    throw reader.damaged(`version ${version}, need ${VERSION} or ${VERSION_NOTES}`);
  }
  const bodyBytes = header.getUint32(12, true);
  if (bodyBytes !== bytes.length - HEADER_BYTES) {
    throw reader.damaged(`${bytes.length - HEADER_BYTES} body bytes, need ${bodyBytes}`);
  }
  const sum = header.getUint32(16, true);
  if (sum !== checksum(bytes)) throw reader.damaged(`checksum ${checksum(bytes)}, need ${sum}`);
  const count = header.getUint32(8, true);
  if (count > MAX_INDEX_ROWS) throw reader.damaged(`${count} rows, need at most ${MAX_INDEX_ROWS}`);
  return { count, hasNotes: version === VERSION_NOTES };
}

function writeEntry(writer: ByteWriter, entry: Entry, previousPath: Uint8Array): void {
  writer.varint(TYPES.indexOf(entry.type));
  writePath(writer, entry.path, previousPath);
  writer.varint(entry.mode);
  writer.varint(entry.uid);
  writer.varint(entry.gid);
  writer.varint(entry.sizeBytes);
  writeTime(writer, entry.mtimeNs);
  writeTime(writer, entry.ctimeNs);
  writer.bigVarint(entry.inode);
  assert((entry.target !== null) === hasTarget(entry.type), "a link has its target");
  if (entry.target !== null) {
    writer.varint(entry.target.length);
    writer.raw(entry.target);
  }
  assert((entry.rdev !== null) === hasRdev(entry.type), "a device has its numbers");
  if (entry.rdev !== null) {
    writer.varint(entry.rdev.major);
    writer.varint(entry.rdev.minor);
  }
}

function readEntry(reader: ByteReader, previousPath: Uint8Array): Entry {
  const type = TYPES[reader.varint("type", TYPES.length - 1)];
  assert(type !== undefined, "the type code was checked");
  const path = readPath(reader, previousPath);
  const mode = reader.varint("mode", 0o7777);
  const uid = reader.varint("uid", MAX_U32);
  const gid = reader.varint("gid", MAX_U32);
  const sizeBytes = reader.varint("size", Number.MAX_SAFE_INTEGER);
  const mtimeNs = readTime(reader, "mtime");
  const ctimeNs = readTime(reader, "ctime");
  const inode = reader.bigVarint("inode");
  const target = hasTarget(type)
    ? reader.raw("target", reader.varint("target length", MAX_PATH_BYTES)).slice()
    : null;
  const rdev = hasRdev(type)
    ? { major: reader.varint("major", MAX_U32), minor: reader.varint("minor", MAX_U32) }
    : null;
  return { path, type, mode, uid, gid, sizeBytes, mtimeNs, ctimeNs, inode, target, rdev };
}

function writePath(writer: ByteWriter, path: Uint8Array, previousPath: Uint8Array): void {
  const shared = sharedPrefix(previousPath, path);
  writer.varint(shared);
  writer.varint(path.length - shared);
  writer.raw(path, shared);
}

function readPath(reader: ByteReader, previousPath: Uint8Array): Uint8Array {
  const shared = reader.varint("shared path length", previousPath.length);
  const length = reader.varint("path suffix length", MAX_PATH_BYTES - shared);
  const path = new Uint8Array(shared + length);
  path.set(previousPath.subarray(0, shared));
  path.set(reader.raw("path", length), shared);
  if (path[0] !== 0x2f) throw reader.damaged('a path without leading "/", need a full path');
  if (path.includes(0)) throw reader.damaged("a NUL in a path, need none");
  return path;
}

/** Writes a time as signed seconds and nanoseconds. */
export function writeTime(writer: ByteWriter, timeNs: bigint): void {
  const split = splitTime(timeNs);
  if (Number.isSafeInteger(split.seconds)) writer.signedNumber(split.seconds);
  else writer.signed(exactSeconds(timeNs, split));
  writer.varint(split.nanoseconds);
}

/** Reads what `writeTime` wrote. @throws AgentError `damaged` */
export function readTime(reader: ByteReader, what: string): bigint {
  const seconds = reader.signed(what);
  return seconds * NS_PER_SECOND + BigInt(reader.varint(`${what} nanoseconds`, 999_999_999));
}

function hasTarget(type: EntryType): boolean {
  return type === "symlink" || type === "hardlink";
}

function hasRdev(type: EntryType): boolean {
  return type === "character" || type === "block";
}

function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const limit = Math.min(a.length, b.length);
  let index = 0;
  while (index < limit && a[index] === b[index]) index++;
  return index;
}
