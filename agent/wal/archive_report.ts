// What is in an archive, what that is good for, and what is wrong with it. Pure.
//
// Wrong is what takes something from a kept backup: a segment that is missing, or damaged, on the
// way to a timeline that it could be recovered to; a timeline that nobody can follow, since its
// history is missing; and each file that is damaged, needed or not. A gap before all kept backups
// is shown, but no harm.

import type { WalArchiveView, WalTimelineView } from "../control/wal_report_view.ts";
import type { BackupRange } from "./backup_range.ts";
import { MAX_LISTED_FINDINGS, MAX_LISTED_RANGES } from "./limits.ts";
import { formatLsn } from "./lsn.ts";
import type { TimelineSwitch } from "./timeline_history.ts";
import { WalCoverage } from "./wal_coverage.ts";
import { historyName, isSegmentOf } from "./wal_file_name.ts";
import type { SegmentPlace } from "./wal_file_name.ts";

export interface ArchiveFacts {
  readonly client: string;
  readonly database: string;
  readonly system: string;
  readonly files: number;
  readonly bytes: number;
  /** Null when the archive has no segment and no backup says it. */
  readonly segmentBytes: number | null;
  /** Those that are not known to be damaged. */
  readonly segments: readonly SegmentPlace[];
  readonly histories: ReadonlyMap<number, readonly TimelineSwitch[]>;
  /** Kept backups of this cluster. */
  readonly backups: readonly { readonly backup: string; readonly range: BackupRange }[];
  /** What reading the files found. */
  readonly damage: readonly string[];
}

export function reportArchive(facts: ArchiveFacts): WalArchiveView {
  const { client, database, system, files, bytes, damage, histories } = facts;
  const common = { type: "archive", client, database, system, files, bytes } as const;
  const { segmentBytes } = facts;
  if (segmentBytes === null) {
    return { ...common, timelines: [], backups: [], findings: damage };
  }
  const strange = facts.segments.filter((one) => !isSegmentOf(one, segmentBytes)).length;
  const segments = facts.segments.filter((one) => isSegmentOf(one, segmentBytes));
  const coverage = new WalCoverage(segments, { segmentBytes, histories });
  const findings = [...damage];
  if (strange > 0) findings.push(`${strange} names fit no segment of ${segmentBytes} bytes`);
  const backups = facts.backups.map(({ backup, range }) => {
    const reaches = coverage.reaches(range).map(({ timeline, endLsn, missing }) => ({
      timeline,
      endLsn: formatLsn(endLsn),
      missing,
    }));
    for (const { timeline, endLsn, missing } of reaches) {
      if (missing === null) continue;
      findings.push(
        `backup ${backup} can be recovered up to ${endLsn} only on the way to timeline ` +
          `${timeline}: segment ${missing} is missing or damaged`,
      );
    }
    for (const timeline of coverage.unknownAfter(range.timeline)) {
      const name = historyName(timeline);
      findings.push(`backup ${backup} cannot go to timeline ${timeline}: ${name} is missing`);
    }
    return { backup, timeline: range.timeline, reaches };
  });
  const timelines = coverage.timelines().map((timeline) => timelineView(coverage, timeline));
  return { ...common, timelines, backups, findings: shortened(findings) };
}

function timelineView(coverage: WalCoverage, timeline: number): WalTimelineView {
  const ranges = coverage.ranges(timeline);
  return {
    timeline,
    segments: ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    ranges: ranges.slice(0, MAX_LISTED_RANGES).map(({ first, last }) => ({
      first: coverage.nameOf(timeline, first),
      last: coverage.nameOf(timeline, last),
      segments: last - first + 1,
    })),
    gaps: Math.max(0, ranges.length - 1),
  };
}

function shortened(findings: readonly string[]): readonly string[] {
  if (findings.length <= MAX_LISTED_FINDINGS) return findings;
  const more = findings.length - MAX_LISTED_FINDINGS;
  return [...findings.slice(0, MAX_LISTED_FINDINGS), `and ${more} more`];
}
