// Names of the files that PostgreSQL hands to its `archive_command`. Pure.
//
//   TTTTTTTTLLLLLLLLSSSSSSSS               a segment: timeline, log, segment, 8 hex digits each
//   TTTTTTTTLLLLLLLLSSSSSSSS.partial       the last, unfinished one of a timeline that was left
//   TTTTTTTT.history                       how that timeline came about
//   TTTTTTTTLLLLLLLLSSSSSSSS.OOOOOOOO.backup   where a base backup began, as text
//
// Digits are upper case, as the server writes them: two spellings of one file would be two files.
// A log has 4 GiB, so its count of segments depends on their size, which a cluster has for life.

import { AgentError } from "../../transport/ground/error.ts";

/** A place in the log: timeline, 4 GiB log, segment in that. */
export interface SegmentPlace {
  readonly timeline: number;
  readonly log: number;
  readonly segment: number;
}

export type WalFileName =
  | (SegmentPlace & { readonly type: "segment" | "partial"; readonly name: string })
  | (SegmentPlace & {
    readonly type: "backup";
    readonly name: string;
    /** Bytes from the segment's start to that of the backup. */
    readonly offsetBytes: number;
  })
  | { readonly type: "history"; readonly name: string; readonly timeline: number };

const SEGMENT = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial|\.([0-9A-F]{8})\.backup)?$/;
const HISTORY = /^([0-9A-F]{8})\.history$/;
const LOG_BYTES = 2 ** 32;

/** @returns null for what is no name of these, and for timeline 0, which does not exist */
export function parseWalFileName(name: string): WalFileName | null {
  const history = HISTORY.exec(name);
  if (history !== null) {
    const timeline = parseHex(history[1]);
    return timeline === 0 ? null : { type: "history", name, timeline };
  }
  const match = SEGMENT.exec(name);
  if (match === null) return null;
  const [timeline, log, segment] = [match[1], match[2], match[3]].map(parseHex);
  if (!timeline || log === undefined || segment === undefined) return null;
  const place = { name, timeline, log, segment };
  if (match[5] !== undefined) return { type: "backup", ...place, offsetBytes: parseHex(match[5]) };
  return { type: match[4] === undefined ? "segment" : "partial", ...place };
}

/** Is there such a segment in a log with segments of this size? */
export function isSegmentOf(place: SegmentPlace, segmentBytes: number): boolean {
  return place.segment < LOG_BYTES / segmentBytes;
}

/**
 * The number of a segment in its timeline, counted from LSN 0; less than 2^44.
 * @throws AgentError `mismatch` when no segment of this size has that name
 */
export function segmentIndex(place: SegmentPlace, segmentBytes: number): number {
  if (isSegmentOf(place, segmentBytes)) {
    return place.log * (LOG_BYTES / segmentBytes) + place.segment;
  }
  const found = `segment ${place.segment} of log ${place.log}`;
  throw new AgentError(
    "mismatch",
    `Cannot place a WAL segment: found ${found}, need one below ${LOG_BYTES / segmentBytes}`,
    { hint: "Keep the logs of clusters with different segment sizes apart." },
  );
}

/** The name of the segment with that number. */
export function segmentName(timeline: number, index: number, segmentBytes: number): string {
  const perLog = LOG_BYTES / segmentBytes;
  return formatHex(timeline) + formatHex(Math.floor(index / perLog)) + formatHex(index % perLog);
}

export function historyName(timeline: number): string {
  return `${formatHex(timeline)}.history`;
}

function parseHex(digits: string | undefined): number {
  return Number.parseInt(digits ?? "", 16);
}

function formatHex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
