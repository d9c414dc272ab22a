// Do the catalog's rows agree with the rows that the media file carries? Both are read in tar
// order, side by side, so that nothing is held in memory.

import type { Catalog, CatalogBackup, CatalogRow } from "../catalog/mod.ts";
import type { IndexRow } from "../entry.ts";
import { isUnreadable, type MediaReader } from "../media/mod.ts";
import { TakenBack } from "./taken_back.ts";

export interface RowDifference {
  readonly what: string;
  /** A row whose path it touches. */
  readonly row: CatalogRow | null;
}

/**
 * Yields every difference. A path that was sent again counts with its last member only, what was
 * taken back not at all.
 */
export function* compareRows(
  media: MediaReader,
  catalog: Catalog,
  backup: CatalogBackup,
): Generator<RowDifference> {
  const known = catalog.rowsOfMedia(backup);
  const takenBack = new TakenBack(media, catalog, backup);
  let next = known.next();
  try {
    for (let group = 0; group < media.groupCount; group++) {
      const rows = readRows(media, group);
      if (rows instanceof Error) {
        yield { what: rows.message, row: null };
        next = skipGroup(media, group, { known, next });
        continue;
      }
      for (const row of rows) {
        while (next.done !== true && next.value.tarOffset < row.tarOffset) {
          yield { what: "the catalog has a row that the media file has not", row: next.value };
          next = known.next();
        }
        if (next.done !== true && next.value.tarOffset === row.tarOffset) {
          if (!sameRow(next.value, row)) {
            yield { what: "catalog and media file differ about an entry", row: next.value };
          }
          next = known.next();
        } else if (!takenBack.has(row)) {
          const missing = { ...row, media: backup.number, unsettled: false };
          yield { what: "the media file has a row that the catalog has not", row: missing };
        }
      }
    }
    for (; next.done !== true; next = known.next()) {
      yield { what: "the catalog has a row that the media file has not", row: next.value };
    }
  } finally {
    known.return(undefined);
  }
}

function readRows(media: MediaReader, group: number): IndexRow[] | Error {
  try {
    return [...media.groupRows(group)];
  } catch (error) {
    if (isUnreadable(error)) return error;
    throw error;
  }
}

/** Steps over the catalog's rows of a group whose index cannot be read: one finding is enough. */
function skipGroup(
  media: MediaReader,
  group: number,
  rows: {
    readonly known: Iterator<CatalogRow, unknown>;
    readonly next: IteratorResult<CatalogRow, unknown>;
  },
): IteratorResult<CatalogRow, unknown> {
  const end = media.groupTarEnd(group);
  let { next } = rows;
  while (next.done !== true && next.value.tarOffset < end) next = rows.known.next();
  return next;
}

function sameRow(a: IndexRow, b: IndexRow): boolean {
  const left = a.entry;
  const right = b.entry;
  return a.tarBytes === b.tarBytes && sameBytes(left.path, right.path) &&
    left.type === right.type && left.mode === right.mode && left.uid === right.uid &&
    left.gid === right.gid && left.sizeBytes === right.sizeBytes &&
    left.mtimeNs === right.mtimeNs && left.ctimeNs === right.ctimeNs &&
    left.inode === right.inode && sameBytes(left.target, right.target) &&
    left.rdev?.major === right.rdev?.major && left.rdev?.minor === right.rdev?.minor;
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
