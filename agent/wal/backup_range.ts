// The part of the log that a base backup spans, kept beside its media as a line of JSON, which a
// person can read too. Pure.
//
//   {"system":"7412…","timeline":1,"startLsn":"0/2000028","stopLsn":"0/2000138",
//    "stopMs":1732660000000,"segmentBytes":16777216,"archived":true}

import { z } from "zod";
import { AgentError } from "../../transport/ground/error.ts";
import { formatLsn, parseLsn } from "./lsn.ts";
import { isSegmentSize } from "./wal_header.ts";

export interface BackupRange {
  /** The cluster's system identifier, in decimal. */
  readonly system: string;
  readonly timeline: number;
  /** Recovery begins to read the log here. */
  readonly startLsn: bigint;
  /** The backup is consistent from here on; the byte after the last one that it needs. */
  readonly stopLsn: bigint;
  /** The PostgreSQL server's clock at that point, ms since 1970. */
  readonly stopMs: number;
  readonly segmentBytes: number;
  /** The cluster archived its log here then; false, too, when older releases said nothing of it. */
  readonly archived: boolean;
}

const lsnSchema = z.string().transform((text, context) => {
  const lsn = parseLsn(text);
  if (lsn !== null) return lsn;
  context.addIssue({ code: "custom", message: "no LSN" });
  return z.NEVER;
});

const rangeSchema = z.object({
  system: z.string().regex(/^[1-9]\d{0,19}$/),
  timeline: z.int().min(1).max(0xffff_ffff),
  startLsn: lsnSchema,
  stopLsn: lsnSchema,
  stopMs: z.int(),
  segmentBytes: z.int().refine(isSegmentSize),
  archived: z.boolean().default(false),
}).refine(({ startLsn, stopLsn }) => startLsn < stopLsn);

export function encodeBackupRange(range: BackupRange): Uint8Array {
  const startLsn = formatLsn(range.startLsn);
  const stopLsn = formatLsn(range.stopLsn);
  const { system, timeline, stopMs, segmentBytes, archived } = range;
  const line = { system, timeline, startLsn, stopLsn, stopMs, segmentBytes, archived };
  return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}

/** @throws AgentError `damaged` */
export function decodeBackupRange(bytes: Uint8Array): BackupRange {
  try {
    return rangeSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new AgentError(
      "damaged",
      `Cannot read the WAL range of a backup: found ${found}, need a line of JSON`,
      {
        hint: "Restore the file beside the backup's media from a copy of the vault.",
        cause: error,
      },
    );
  }
}
