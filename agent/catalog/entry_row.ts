// An index row as the columns of the table `entries`, and back. Pure.
//
// Inodes are unsigned 64-bit, SQLite's integers signed: they are stored by their bit pattern.

import { AgentError } from "../../transport/ground/error.ts";
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { EntryType, IndexRow } from "../entry.ts";
import { splitTime } from "../split_time.ts";
import { pathOfWalkKey } from "../walk_order.ts";
import { REBUILD_HINT } from "./sqlite_error.ts";

export type Columns = Record<string, SQLOutputValue>;

/** The position is the code in the database: append only. */
const TYPES: readonly EntryType[] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "fifo",
  "character",
  "block",
];

export const FILE_CODE = TYPES.indexOf("file");
export const HARDLINK_CODE = TYPES.indexOf("hardlink");
export const DIRECTORY_CODE = TYPES.indexOf("directory");

const NS_PER_SECOND = 1_000_000_000n;
const SLASH = 0x2f;

/** Everything of a row that stands after (generation, directory, name, first, end). */
export function toColumns(row: IndexRow, media: number): SQLInputValue[] {
  const { entry } = row;
  const mtime = splitTime(entry.mtimeNs);
  const ctime = splitTime(entry.ctimeNs);
  const rdev = entry.rdev === null ? null : `${entry.rdev.major}:${entry.rdev.minor}`;
  return [
    TYPES.indexOf(entry.type),
    entry.mode,
    entry.uid,
    entry.gid,
    entry.sizeBytes,
    mtime.seconds,
    mtime.nanoseconds,
    ctime.seconds,
    ctime.nanoseconds,
    BigInt.asIntN(64, entry.inode),
    entry.target,
    rdev,
    media,
    row.tarOffset,
    row.tarBytes,
  ];
}

/** Columns that `fromColumns` reads; the inode as text, for it may not fit a number. */
export const ENTRY_COLUMNS = `d.key AS parent, e.name, e.type, e.mode, e.uid, e.gid, e.size,
  e.mtime_s, e.mtime_n, e.ctime_s, e.ctime_n, CAST(e.inode AS TEXT) AS inode, e.target, e.rdev,
  e.media, e.tar_offset, e.tar_bytes, e.unsettled`;

/** @throws AgentError `damaged` when a column is not of its type */
export function fromColumns(columns: Columns): IndexRow {
  return {
    entry: {
      path: joinPath(pathOfWalkKey(blobOf(columns, "parent")), blobOf(columns, "name")),
      type: typeOf(columns),
      mode: numberOf(columns, "mode"),
      uid: numberOf(columns, "uid"),
      gid: numberOf(columns, "gid"),
      sizeBytes: numberOf(columns, "size"),
      mtimeNs: joinTime(numberOf(columns, "mtime_s"), numberOf(columns, "mtime_n")),
      ctimeNs: joinTime(numberOf(columns, "ctime_s"), numberOf(columns, "ctime_n")),
      inode: readInode(textOf(columns, "inode")),
      target: columns["target"] === null ? null : blobOf(columns, "target"),
      rdev: columns["rdev"] === null ? null : readRdev(textOf(columns, "rdev")),
    },
    tarOffset: numberOf(columns, "tar_offset"),
    tarBytes: numberOf(columns, "tar_bytes"),
  };
}

/** Type of the row's entry. @throws AgentError `damaged` */
export function typeOf(columns: Columns): EntryType {
  const type = TYPES[numberOf(columns, "type")];
  if (type === undefined) throw damagedColumn("type", "a known type");
  return type;
}

/** Cuts a full path into its parent and its name; "/" has the parent "". */
export function splitPath(path: Uint8Array): { parent: Uint8Array; name: Uint8Array } {
  const slash = path.lastIndexOf(SLASH);
  if (path.length <= 1) return { parent: path.subarray(0, 0), name: path };
  return { parent: path.subarray(0, Math.max(slash, 1)), name: path.subarray(slash + 1) };
}

/** The inverse of `splitPath`. */
export function joinPath(parent: Uint8Array, name: Uint8Array): Uint8Array {
  const separator = parent.length <= 1 ? 0 : 1;
  const path = new Uint8Array(parent.length + separator + name.length);
  path.set(parent, 0);
  if (separator === 1) path[parent.length] = SLASH;
  path.set(name, parent.length + separator);
  return path;
}

/** @throws AgentError `damaged` */
export function numberOf(columns: Columns, key: string): number {
  const value = columns[key];
  if (typeof value !== "number") throw damagedColumn(key, "a number");
  return value;
}

/** @throws AgentError `damaged` */
export function textOf(columns: Columns, key: string): string {
  const value = columns[key];
  if (typeof value !== "string") throw damagedColumn(key, "text");
  return value;
}

/** @throws AgentError `damaged` */
export function blobOf(columns: Columns, key: string): Uint8Array {
  const value = columns[key];
  if (!(value instanceof Uint8Array)) throw damagedColumn(key, "bytes");
  return value;
}

/** What this room wrote as JSON itself. @throws AgentError `damaged` */
export function jsonOf(columns: Columns, key: string): unknown {
  try {
    return JSON.parse(textOf(columns, key));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw damagedColumn(key, "JSON");
  }
}

/** A moment as it is shown. @throws AgentError `damaged` */
export function momentOf(columns: Columns, key: string): string {
  const moment = new Date(numberOf(columns, key));
  if (Number.isNaN(moment.getTime())) throw damagedColumn(key, "a moment in ms");
  return moment.toISOString();
}

function readInode(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw damagedColumn("inode", "a whole number");
  return BigInt.asUintN(64, BigInt(text));
}

function joinTime(seconds: number, nanoseconds: number): bigint {
  if (!Number.isSafeInteger(seconds) || !Number.isSafeInteger(nanoseconds)) {
    throw damagedColumn("mtime", "whole numbers");
  }
  return BigInt(seconds) * NS_PER_SECOND + BigInt(nanoseconds);
}

function readRdev(text: string): { major: number; minor: number } {
  const [major, minor] = text.split(":").map(Number);
  if (major === undefined || minor === undefined) throw damagedColumn("rdev", "major:minor");
  return { major, minor };
}

export function damagedColumn(key: string, wanted: string): AgentError {
  return new AgentError(
    "damaged",
    `Cannot read catalog column "${key}": another type, need ${wanted}`,
    { hint: REBUILD_HINT },
  );
}
