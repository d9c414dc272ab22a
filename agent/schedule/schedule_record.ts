// What is known of a schedule's past, and the file that keeps it over a restart. Pure.
//
//   {"version": 1, "schedules": {"NAME": {…ScheduleRecord}, …}}
//
// What comes from the file is checked; a file that cannot be used costs no more than one report of
// runs that were missed.

import { z } from "zod";
import { MESSAGE_LENGTH_MAX } from "./limits.ts";

export const OUTCOMES = ["ok", "incomplete", "failed", "cancelled", "interrupted"] as const;

/** How a run ended; "interrupted" by the end of its daemon. */
export type Outcome = typeof OUTCOMES[number];

export interface EndedRun {
  readonly startedMs: number;
  readonly outcome: Outcome;
  readonly message: string | null;
}

/** Times are ms since 1970. */
export interface ScheduleRecord {
  /** The expression and time zone that turns were counted by: with others counting starts anew. */
  readonly calendar: string;
  /** Turns up to here are decided. */
  readonly settledMs: number;
  /** The run that goes on: a late one is not repeated when it is interrupted. */
  readonly open: { readonly startedMs: number; readonly late: boolean } | null;
  /** When a run that is still owed is tried again. */
  readonly retryMs: number | null;
  readonly lastRun: EndedRun | null;
  /** Start of the last run that ended "ok". */
  readonly lastSuccessMs: number | null;
  readonly lastMissedMs: number | null;
  /** Runs that ended by themselves, and how many of them failed. */
  readonly runs: number;
  readonly failed: number;
  /** Those that looked at all they were to look at: the next one takes what comes after. */
  readonly looked: number;
  /** Turns for which no daemon was there. */
  readonly missed: number;
  /** Turns that were left out because the same still ran or waited. */
  readonly skipped: number;
}

const count = z.int().min(0);
/** The range of Date. */
const time = z.number().min(-8.64e15).max(8.64e15);

const recordSchema: z.ZodType<ScheduleRecord> = z.object({
  calendar: z.string(),
  settledMs: time,
  open: z.object({ startedMs: time, late: z.boolean() }).nullable(),
  retryMs: time.nullable(),
  lastRun: z.object({
    startedMs: time,
    outcome: z.enum(OUTCOMES),
    message: z.string().max(MESSAGE_LENGTH_MAX).nullable(),
  }).nullable(),
  lastSuccessMs: time.nullable(),
  lastMissedMs: time.nullable(),
  runs: count,
  failed: count,
  // Files of older releases do not have it.
  looked: count.optional(),
  missed: count,
  skipped: count,
}).transform((record) => ({ ...record, looked: record.looked ?? record.runs }));

const fileSchema = z.object({
  version: z.literal(1),
  schedules: z.record(z.string(), recordSchema),
});

export type Records = ReadonlyMap<string, ScheduleRecord>;

export function encodeRecords(records: Records): Uint8Array {
  const file = { version: 1, schedules: Object.fromEntries(records) };
  return new TextEncoder().encode(`${JSON.stringify(file)}\n`);
}

/** @returns null for bytes that are no such file */
export function decodeRecords(bytes: Uint8Array): Records | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  const parsed = fileSchema.safeParse(value);
  return parsed.success ? new Map(Object.entries(parsed.data.schedules)) : null;
}
