// What a server tells a client of the parent of an incremental backup: its rows, grouped by
// directory, in the order of the walk that will look for them.
//
// A chunk holds whole items; it travels as one zstd frame, which has a checksum. All varints:
//
//   directory:  0 | bytes of its path | path              a group begins
//   row:        1 + 2 x type + unsettled + 14 x kept | bytes of its name | name
//               | bytes of the fields | fields
//   fields:     size | mtime: signed seconds, nanoseconds | ctime: the same | inode
//               | of a hard link: bytes of its first name's path | path
//
// The first group has the path "": its names are the full paths of the source. Then come the
// groups of every directory below them. Names of a group are in the order of their bytes, groups
// in the order of walk_order.ts. Pure.

import { assert } from "../../../transport/ground/assert.ts";
import type { FileStat } from "../../../transport/runtime/files.ts";
import type { Entry, EntryType } from "../../entry.ts";
import { ByteReader, ByteWriter } from "../../media/byte_cursor.ts";
import { readTime } from "../../media/index_rows.ts";
import type { SplitTime } from "../../split_time.ts";
import { MAX_PARENT_CHUNK_BYTES, PARENT_CHUNK_BYTES } from "../limits.ts";
import { MAX_PATH_BYTES } from "../../tar/mod.ts";
import { compareBytes } from "./source_paths.ts";

/** What a change is judged by. */
export type ParentRow =
  & Pick<Entry, "type" | "sizeBytes" | "mtimeNs" | "ctimeNs" | "inode" | "target">
  & {
    readonly unsettled: boolean;
    /** Its member is there already, from a backup that was cut, and this one goes on with it. */
    readonly kept: boolean;
  };

/** A row on its way to the client: the directory and the name that it stands under. */
export interface PlacedRow extends Omit<ParentRow, "mtimeNs" | "ctimeNs"> {
  readonly directory: Uint8Array;
  readonly name: Uint8Array;
  readonly mtime: SplitTime;
  readonly ctime: SplitTime;
}

/** The position is the code: append only. */
const TYPES: readonly EntryType[] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "fifo",
  "character",
  "block",
];

const NAME = "rows of the parent";
const KEPT = 2 * TYPES.length;
/** The largest code of an item. */
const MAX_CODE = 2 * KEPT;

/** Chunks of rows that come grouped; one in memory at a time. */
export function* encodeParentRows(rows: Iterable<PlacedRow>): Generator<Uint8Array<ArrayBuffer>> {
  const writer = new ByteWriter();
  const fields = new ByteWriter();
  let group: Uint8Array | null = null;
  for (const row of rows) {
    // Rows of a directory mostly share its path.
    const isNext = group === null ||
      (group !== row.directory && compareBytes(group, row.directory) !== 0);
    if (isNext) {
      group = row.directory;
      writer.varint(0);
      writeBytes(writer, row.directory);
    }
    const code = 1 + 2 * TYPES.indexOf(row.type) + (row.unsettled ? 1 : 0);
    writer.varint(code + (row.kept ? KEPT : 0));
    writeBytes(writer, row.name);
    writeFields(fields, row);
    writer.varint(fields.length);
    writer.append(fields);
    if (writer.length < PARENT_CHUNK_BYTES) continue;
    yield writer.finish();
    writer.clear();
  }
  if (writer.length > 0) yield writer.finish();
}

function writeFields(fields: ByteWriter, row: PlacedRow): void {
  fields.clear();
  fields.varint(row.sizeBytes);
  fields.signedNumber(row.mtime.seconds);
  fields.varint(row.mtime.nanoseconds);
  fields.signedNumber(row.ctime.seconds);
  fields.varint(row.ctime.nanoseconds);
  fields.bigVarint(row.inode);
  if (row.type === "hardlink") writeBytes(fields, row.target ?? new Uint8Array(0));
}

/**
 * Reads items where they lie. Every row of the parent passes through here, most of them only to be
 * found the same as before, so no object is made for one until it is asked for.
 */
export class ParentItems {
  readonly bytes: Uint8Array;
  readonly #reader: ByteReader;
  #code = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #fieldsStart = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#reader = new ByteReader(bytes, NAME);
  }

  /** Goes on to the next item. @returns false behind the last @throws AgentError `damaged` */
  next(): boolean {
    const reader = this.#reader;
    if (reader.left === 0) return false;
    this.#code = reader.varint("item", MAX_CODE);
    const nameBytes = reader.varint("name length", MAX_PATH_BYTES);
    this.#nameStart = reader.at;
    reader.skip("name", nameBytes);
    this.#nameEnd = reader.at;
    if (this.#code === 0) return true;
    const fieldBytes = reader.varint("field bytes", MAX_PARENT_CHUNK_BYTES);
    this.#fieldsStart = reader.at;
    reader.skip("fields", fieldBytes);
    return true;
  }

  /** True for a directory, whose path is the `name`; false for a row. */
  get isDirectory(): boolean {
    return this.#code === 0;
  }

  /** Where the item ends; of one that comes next, where it begins. */
  get end(): number {
    return this.#reader.at;
  }

  get isAtEnd(): boolean {
    return this.#reader.left === 0;
  }

  /** Where the item's name lies. */
  get nameStart(): number {
    return this.#nameStart;
  }

  get nameEnd(): number {
    return this.#nameEnd;
  }

  /** A copy. */
  get name(): Uint8Array {
    return this.bytes.slice(this.#nameStart, this.#nameEnd);
  }

  /** The row. @throws AgentError `damaged` */
  row(): ParentRow {
    const fields = new ByteReader(this.bytes.subarray(this.#fieldsStart, this.end), NAME);
    const kept = this.#code > KEPT;
    const flags = this.#code - 1 - (kept ? KEPT : 0);
    const type = TYPES[flags >> 1];
    assert(type !== undefined, "the code of the item was checked");
    const sizeBytes = fields.varint("size", Number.MAX_SAFE_INTEGER);
    const mtimeNs = readTime(fields, "mtime");
    const ctimeNs = readTime(fields, "ctime");
    const inode = fields.bigVarint("inode");
    const target = type === "hardlink" ? readBytes(fields, "target") : null;
    const unsettled = flags % 2 === 1;
    return { type, sizeBytes, mtimeNs, ctimeNs, inode, target, unsettled, kept };
  }

  /** True when the row's state is this one. */
  isState(state: RowState): boolean {
    return this.#code === state.code &&
      state.fields.isEqual(this.bytes, this.#fieldsStart, this.end);
  }
}

/**
 * The state of a file as its row would have it, settled and with one name: a row that has the same
 * bytes is of the same state, and need not be decoded. Used again for each file.
 */
export class RowState {
  readonly fields = new ByteWriter();
  code = 0;

  /** @returns false for what has no such state, which says nothing of whether it changed */
  set(stat: FileStat): boolean {
    const type = TYPES.findIndex((one) => one === stat.type);
    const { mtimeSeconds, ctimeSeconds } = stat;
    if (type < 0 || stat.linkCount !== 1) return false;
    if (!Number.isSafeInteger(mtimeSeconds) || !Number.isSafeInteger(ctimeSeconds)) return false;
    this.code = 1 + 2 * type;
    this.fields.clear();
    this.fields.varint(stat.type === "file" ? stat.sizeBytes : 0);
    this.fields.signedNumber(mtimeSeconds);
    this.fields.varint(stat.mtimeRestNs);
    this.fields.signedNumber(ctimeSeconds);
    this.fields.varint(stat.ctimeRestNs);
    this.fields.bigVarint(stat.inode);
    return true;
  }
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.raw(bytes);
}

function readBytes(reader: ByteReader, what: string): Uint8Array {
  return reader.raw(what, reader.varint(`${what} length`, MAX_PATH_BYTES));
}
