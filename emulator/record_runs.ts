// Bitmaps of the records of one track. Pure.

import { RECORD_BYTES, RECORDS_PER_TRACK } from "./limits.ts";

/** Bitmap of the records that `bytes` bytes at `withinBytes` of a track touch. */
export function recordsOf(withinBytes: number, bytes: number): number {
  const first = Math.floor(withinBytes / RECORD_BYTES);
  const end = Math.ceil((withinBytes + bytes) / RECORD_BYTES);
  return ((1 << end) - 1) & ~((1 << first) - 1);
}

/** Numbers of the records in a bitmap. */
export function recordList(records: number): number[] {
  const list: number[] = [];
  for (let record = 0; record < RECORDS_PER_TRACK; record++) {
    if ((records & (1 << record)) !== 0) list.push(record);
  }
  return list;
}

/** Calls `run` for each run of set bits, in order, with its first record and count of records. */
export function forEachRun(records: number, run: (first: number, count: number) => void): void {
  let first = 0;
  while (first < RECORDS_PER_TRACK) {
    if ((records & (1 << first)) === 0) {
      first++;
      continue;
    }
    let end = first + 1;
    while (end < RECORDS_PER_TRACK && (records & (1 << end)) !== 0) end++;
    run(first, end - first);
    first = end;
  }
}
