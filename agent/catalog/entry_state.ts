// What a change of an object is judged by, as columns of the table `entries`. An incremental backup
// reads it of every row that its parent sees, so it is less than the row, in plain numbers. Pure.

import type { EntryType } from "../entry.ts";
import type { SplitTime } from "../split_time.ts";
import {
  blobOf,
  type Columns,
  damagedColumn,
  HARDLINK_CODE,
  numberOf,
  typeOf,
} from "./entry_row.ts";

export interface EntryState {
  readonly directory: Uint8Array;
  readonly name: Uint8Array;
  readonly type: EntryType;
  readonly sizeBytes: number;
  readonly mtime: SplitTime;
  readonly ctime: SplitTime;
  readonly inode: bigint;
  /** Of a hard link: its first name. */
  readonly target: Uint8Array | null;
  readonly unsettled: boolean;
  /** Number of the backup whose media file holds the member. */
  readonly media: number;
}

/** Columns that `toState` reads; the inode in halves, for it may not fit a number. */
export const STATE_COLUMNS = `e.name, e.type, e.size, e.mtime_s, e.mtime_n, e.ctime_s, e.ctime_n,
  (e.inode >> 32) & 4294967295 AS inode_high, e.inode & 4294967295 AS inode_low,
  CASE e.type WHEN ${HARDLINK_CODE} THEN e.target END AS target, e.media, e.unsettled`;

/** @throws AgentError `damaged` when a column is not of its type */
export function toState(columns: Columns, directory: Uint8Array): EntryState {
  return {
    directory,
    name: blobOf(columns, "name"),
    type: typeOf(columns),
    sizeBytes: countOf(columns, "size"),
    mtime: { seconds: wholeOf(columns, "mtime_s"), nanoseconds: countOf(columns, "mtime_n") },
    ctime: { seconds: wholeOf(columns, "ctime_s"), nanoseconds: countOf(columns, "ctime_n") },
    inode: inodeOf(countOf(columns, "inode_high"), countOf(columns, "inode_low")),
    target: columns["target"] === null ? null : blobOf(columns, "target"),
    unsettled: numberOf(columns, "unsettled") === 1,
    media: numberOf(columns, "media"),
  };
}

function wholeOf(columns: Columns, key: string): number {
  const value = numberOf(columns, key);
  if (!Number.isSafeInteger(value)) throw damagedColumn(key, "a whole number");
  return value;
}

function countOf(columns: Columns, key: string): number {
  const value = wholeOf(columns, key);
  if (value < 0) throw damagedColumn(key, "a number from 0");
  return value;
}

function inodeOf(high: number, low: number): bigint {
  return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
}
