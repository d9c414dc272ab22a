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
import type { Entry, EntryType } from "../../entry.ts";
import { ByteReader, ByteWriter } from "../../media/byte_cursor.ts";
import { readTime, writeTime } from "../../media/index_rows.ts";
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
export interface PlacedRow extends ParentRow {
  readonly directory: Uint8Array;
  readonly name: Uint8Array;
}

/** An item of a chunk; a row's fields are decoded by `decodeFields` when they are needed. */
export type ParentItem =
  | { readonly kind: "directory"; readonly path: Uint8Array }
  | { readonly kind: "row"; readonly name: Uint8Array; readonly fields: ByteReader; code: number };

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

const KEPT = 2 * TYPES.length;

/** Chunks of rows that come grouped; one in memory at a time. */
export function* encodeParentRows(rows: Iterable<PlacedRow>): Generator<Uint8Array<ArrayBuffer>> {
  const writer = new ByteWriter();
  const fields = new ByteWriter();
  let group: Uint8Array | null = null;
  for (const row of rows) {
    if (group === null || compareBytes(group, row.directory) !== 0) {
      group = row.directory;
      writer.varint(0);
      writeBytes(writer, group);
    }
    const code = 1 + 2 * TYPES.indexOf(row.type) + (row.unsettled ? 1 : 0);
    writer.varint(code + (row.kept ? KEPT : 0));
    writeBytes(writer, row.name);
    writeFields(fields, row);
    writeBytes(writer, fields.finish());
    if (writer.length < PARENT_CHUNK_BYTES) continue;
    yield writer.finish();
    writer.clear();
  }
  if (writer.length > 0) yield writer.finish();
}

function writeFields(fields: ByteWriter, row: ParentRow): void {
  fields.clear();
  fields.varint(row.sizeBytes);
  writeTime(fields, row.mtimeNs);
  writeTime(fields, row.ctimeNs);
  fields.bigVarint(row.inode);
  if (row.type === "hardlink") writeBytes(fields, row.target ?? new Uint8Array(0));
}

/** The next item. @throws AgentError `damaged` */
export function decodeParentItem(reader: ByteReader): ParentItem {
  const code = reader.varint("item", 2 * KEPT);
  if (code === 0) return { kind: "directory", path: readBytes(reader, "directory") };
  const name = readBytes(reader, "name");
  const bytes = reader.varint("field bytes", MAX_PARENT_CHUNK_BYTES);
  const fields = new ByteReader(reader.raw("fields", bytes), "rows of the parent");
  return { kind: "row", name, fields, code };
}

/** The fields of an item that is a row; once per item. @throws AgentError `damaged` */
export function decodeFields({ fields, code }: Extract<ParentItem, { kind: "row" }>): ParentRow {
  const kept = code > KEPT;
  const flags = code - 1 - (kept ? KEPT : 0);
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

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.raw(bytes);
}

function readBytes(reader: ByteReader, what: string): Uint8Array {
  return reader.raw(what, reader.varint(`${what} length`, MAX_PATH_BYTES));
}
