// Which files of an archive no backup needs any more. Pure.
//
// A base backup needs the log from its start on, along its own timeline and those that fork off
// later. So what lies before the earliest start of all kept backups can go, of every timeline that
// is not newer than the newest of theirs. Histories always stay: they are small, and tell the way.
//
// Everything stays while it is not known what is needed: no kept backup of the cluster; a kept one
// that does not say what it needs (an older release made it, or its file is damaged); kept ones
// that differ in segment size.
//
// A backup that runs meanwhile needs the log from its start on, too, and is in no catalog yet:
//  - on a timeline that a kept backup has, or on an older one of its history, it began after that
//    backup or the earliest one did, for a server's log only grows along its way;
//  - on a newer timeline it may begin further back, when the cluster was recovered to an earlier
//    point: that is why timelines which no kept backup has reached are left alone;
//  - the first one of a cluster finds everything there.

import type { BackupRange } from "./backup_range.ts";
import { isSegmentOf, segmentIndex, segmentName } from "./wal_file_name.ts";
import type { WalFileName } from "./wal_file_name.ts";

/** A kept backup of a database, and what it says of the log. */
export interface KeptBackup {
  readonly backup: string;
  readonly range: BackupRange | null;
}

/** What stays: from a segment on, and all of newer timelines. */
export interface WalNeed {
  readonly segmentBytes: number;
  /** Number of the first segment that is needed. */
  readonly firstIndex: number;
  readonly firstSegment: string;
  readonly newestTimeline: number;
  /** The backup that needs it. */
  readonly backup: string;
}

/**
 * @param kept all kept backups of the database, of whatever cluster
 * @returns why everything stays, when it does
 */
export function walNeed(
  kept: readonly KeptBackup[],
  system: string,
): WalNeed | { readonly everything: string } {
  const silent = kept.find(({ range }) => range === null);
  if (silent !== undefined) {
    return { everything: `backup ${silent.backup} does not say what it needs` };
  }
  const own = kept.flatMap(({ backup, range }) =>
    range?.system === system ? [{ backup, range, start: startOf(range) }] : []
  );
  const [first, ...others] = own.toSorted((a, b) => a.start - b.start);
  if (first === undefined) return { everything: "no kept backup of this cluster" };
  const { segmentBytes, timeline } = first.range;
  if (others.some(({ range }) => range.segmentBytes !== segmentBytes)) {
    return { everything: "kept backups have different segment sizes" };
  }
  return {
    segmentBytes,
    firstIndex: first.start,
    firstSegment: segmentName(timeline, first.start, segmentBytes),
    newestTimeline: Math.max(...own.map(({ range }) => range.timeline)),
    backup: first.backup,
  };
}

function startOf({ startLsn, segmentBytes }: BackupRange): number {
  return Number(startLsn / BigInt(segmentBytes));
}

/** Is the file of no use to any kept backup? */
export function isUnneeded(file: WalFileName, need: WalNeed): boolean {
  if (file.type === "history" || file.timeline > need.newestTimeline) return false;
  if (!isSegmentOf(file, need.segmentBytes)) return false;
  return segmentIndex(file, need.segmentBytes) < need.firstIndex;
}
