// A base backup of a cluster that archives its log here is complete when the part of the log that
// it spans is in the archive, too: only then can it be recovered beyond its end. The server begins
// a new segment at the end of a backup, so that its archiver is at work on the last one.

import { AgentError } from "../../transport/mod.ts";
import type { LinkDocument, WorkerSession } from "../job/mod.ts";
import { type BackupRange, isSegmentSize, parseLsn, segmentName, WalArchive } from "../wal/mod.ts";
import { LOG_LOOK_MS, LOG_SEGMENTS_MAX, LOG_WAIT_MS } from "./limits.ts";

/** What a client says of the log, checked. @throws AgentError `damaged` for what cannot be */
export function backupRangeOf(
  { startLsn, stopLsn, ...said }: Extract<LinkDocument, { type: "wal-range" }>,
): BackupRange {
  const { system, timeline, stopMs, segmentBytes, archived } = said;
  const [start, stop] = [parseLsn(startLsn), parseLsn(stopLsn)];
  if (start !== null && stop !== null && start < stop && isSegmentSize(segmentBytes)) {
    const log = { system, timeline, startLsn: start, stopLsn: stop };
    const range = { ...log, stopMs, segmentBytes, archived };
    const [first, last] = segmentNumbers(range);
    if (timeline >= 1 && last - first < LOG_SEGMENTS_MAX) return range;
  }
  const found =
    `timeline ${timeline}, ${startLsn} to ${stopLsn}, segments of ${segmentBytes} bytes`;
  throw new AgentError("damaged", `Cannot go on with the backup: found a log of ${found}`);
}

/** Names of the segments that a range spans. Pure. */
export function segmentsOf(range: BackupRange): string[] {
  const [first, last] = segmentNumbers(range);
  return Array.from(
    { length: last - first + 1 },
    (_, index) => segmentName(range.timeline, first + index, range.segmentBytes),
  );
}

function segmentNumbers({ startLsn, stopLsn, segmentBytes }: BackupRange): [number, number] {
  const bytes = BigInt(segmentBytes);
  return [Number(startLsn / bytes), Number((stopLsn - 1n) / bytes)];
}

export interface AwaitLogOptions {
  readonly vault: string;
  readonly client: string;
  readonly database: string;
}

/**
 * Waits for the segments of a range.
 * @returns those that are not there in time; null for a cluster that does not archive its log here
 */
export async function awaitLog(
  session: Pick<WorkerSession, "runtime" | "signal">,
  range: BackupRange,
  { vault: directory, client, database }: AwaitLogOptions,
): Promise<readonly string[] | null> {
  const { clock, files } = session.runtime;
  const archive = WalArchive.open({ files, directory, client, database, system: range.system });
  if (!range.archived && !takesLog(archive, range)) return null;
  const deadlineMs = clock.monotonicMs() + LOG_WAIT_MS;
  let missing: readonly string[] = segmentsOf(range);
  for (;;) {
    missing = missing.filter((name) => !archive.has(name));
    if (missing.length === 0 || clock.monotonicMs() >= deadlineMs) return missing;
    await clock.sleep(LOG_LOOK_MS, { signal: session.signal });
  }
}

/**
 * True when the log from right before a range, or of it, has come: the client only sees our own
 * words in `archive_command`, which a script of the user's or an `archive_library` may hide.
 */
function takesLog(archive: WalArchive, range: BackupRange): boolean {
  const [first] = segmentNumbers(range);
  const before = first === 0 ? [] : [segmentName(range.timeline, first - 1, range.segmentBytes)];
  return [...before, ...segmentsOf(range)].some((name) => archive.has(name));
}
