// What a schedule does at a moment: given what is known of its past, the calendar and the time.
// Pure: the clock, the jobs and the file are the scheduler's.
//
// Invariants:
//  1. A turn is decided once: it runs, is skipped, or is missed. Several that passed at once are
//     one run at most.
//  2. A turn that is more than ON_TIME_MS late was missed; with `catchUp` the last of those that
//     were missed runs late.
//  3. A run that is owed (it was busy, or cut off by the end of the daemon) is tried again until
//     the next turn comes.

import type { Calendar } from "./calendar.ts";
import { CLOCK_BACK_MS, MESSAGE_LENGTH_MAX, MISSED_MAX, ON_TIME_MS } from "./limits.ts";
import type { Outcome, ScheduleRecord } from "./schedule_record.ts";

/** What is there to decide by. */
export interface Moment {
  readonly calendar: Calendar;
  readonly nowMs: number;
  /** True when a missed run is made up for. */
  readonly catchUp: boolean;
  /** Asked when a run is due: does the same run or wait already? */
  readonly isBlocked: () => boolean;
}

export interface Decision {
  readonly record: ScheduleRecord;
  /** Whether a run begins now. */
  readonly start: "on time" | "late" | null;
  /** Turns that were missed, and the last of them. */
  readonly missed: { readonly count: number; readonly lastMs: number } | null;
  /** The turn that was left out. */
  readonly skippedMs: number | null;
}

/** A schedule of which nothing is known: its first turn is the next one. */
export function newRecord(calendar: string, nowMs: number): ScheduleRecord {
  return {
    calendar,
    settledMs: nowMs,
    open: null,
    retryMs: null,
    lastRun: null,
    lastSuccessMs: null,
    lastMissedMs: null,
    runs: 0,
    failed: 0,
    looked: 0,
    missed: 0,
    skipped: 0,
  };
}

/** What is known when a daemon starts; a run that went on was cut off with the last one. */
export function resumeRecord(
  record: ScheduleRecord,
  { calendar, nowMs, catchUp }: {
    readonly calendar: string;
    readonly nowMs: number;
    readonly catchUp: boolean;
  },
): ScheduleRecord {
  const { open } = record;
  // Turns of another expression were never due.
  const settledMs = record.calendar === calendar ? record.settledMs : nowMs;
  const resumed = { ...record, calendar, settledMs, open: null };
  if (open === null) return resumed;
  const message = "the daemon ended before it";
  return {
    ...resumed,
    lastRun: { startedMs: open.startedMs, outcome: "interrupted", message },
    // Not for ever: a run may be what ends the daemon.
    retryMs: catchUp && !open.late ? nowMs : null,
  };
}

export function decide(past: ScheduleRecord, moment: Moment): Decision {
  const { nowMs } = moment;
  const settledMs = past.settledMs > nowMs + CLOCK_BACK_MS ? nowMs : past.settledMs;
  const record = { ...past, settledMs };
  const turns = turnsBetween(moment.calendar, settledMs, nowMs);
  if (turns === null) return decideOwed(record, moment);
  const onTime = !turns.more && nowMs - turns.lastMs <= ON_TIME_MS;
  const missedCount = onTime ? turns.count - 1 : turns.count;
  const missed = missedCount === 0
    ? null
    : { count: missedCount, lastMs: onTime ? turns.beforeMs : turns.lastMs };
  const decided: ScheduleRecord = {
    ...record,
    settledMs: turns.lastMs,
    missed: record.missed + missedCount,
    lastMissedMs: missed?.lastMs ?? record.lastMissedMs,
    // What was owed is overtaken by this turn.
    retryMs: null,
    skipped: record.skipped + (record.retryMs === null ? 0 : 1),
  };
  const nothing = { record: decided, start: null, missed, skippedMs: null };
  const wanted = onTime || moment.catchUp;
  if (wanted && record.open === null && !moment.isBlocked()) {
    return { ...nothing, start: onTime ? "on time" : "late" };
  }
  if (!onTime) return nothing;
  const skipped = { ...decided, skipped: decided.skipped + 1 };
  return { ...nothing, record: skipped, skippedMs: turns.lastMs };
}

function decideOwed(record: ScheduleRecord, { nowMs, isBlocked }: Moment): Decision {
  const due = record.retryMs !== null && record.retryMs <= nowMs && record.open === null;
  const nothing = { record, start: null, missed: null, skippedMs: null };
  if (!due) return nothing;
  // What blocks it does what was owed.
  if (isBlocked()) return { ...nothing, record: { ...record, retryMs: null } };
  return { ...nothing, record: { ...record, retryMs: null }, start: "late" };
}

/** The run begins. */
export function beginRun(
  record: ScheduleRecord,
  run: { readonly startedMs: number; readonly late: boolean },
): ScheduleRecord {
  return { ...record, open: run };
}

/** The run found others at work, and is tried again at `retryMs`. */
export function postponeRun(record: ScheduleRecord, retryMs: number): ScheduleRecord {
  return { ...record, open: null, retryMs };
}

/** How a run ended by itself. */
export interface RunEnd {
  readonly outcome: Outcome;
  readonly message: string | null;
  /** Whether it looked at all that it was to look at. */
  readonly looked: boolean;
}

export function endRun(
  record: ScheduleRecord,
  { outcome, message, looked }: RunEnd,
): ScheduleRecord {
  const startedMs = record.open?.startedMs ?? record.settledMs;
  const shown = message === null ? null : message.slice(0, MESSAGE_LENGTH_MAX);
  return {
    ...record,
    open: null,
    lastRun: { startedMs, outcome, message: shown },
    lastSuccessMs: outcome === "ok" ? startedMs : record.lastSuccessMs,
    runs: record.runs + 1,
    looked: record.looked + (looked ? 1 : 0),
    failed: record.failed + (outcome === "failed" ? 1 : 0),
  };
}

/** When there is something to decide next; null when never again. */
export function nextDueMs(
  record: ScheduleRecord,
  { calendar, nowMs }: Pick<Moment, "calendar" | "nowMs">,
): number | null {
  const turnMs = calendar.next(Math.max(record.settledMs, nowMs));
  if (record.retryMs === null) return turnMs;
  return turnMs === null ? record.retryMs : Math.min(turnMs, record.retryMs);
}

interface Turns {
  readonly count: number;
  readonly lastMs: number;
  /** The turn before the last one; meaningless when there is one only. */
  readonly beforeMs: number;
  /** True when there are more than are counted. */
  readonly more: boolean;
}

/** The turns in (after, until]. */
function turnsBetween(calendar: Calendar, afterMs: number, untilMs: number): Turns | null {
  let count = 0;
  let [beforeMs, lastMs] = [afterMs, afterMs];
  for (let next = calendar.next(afterMs); next !== null && next <= untilMs;) {
    // So many turns lie close together: now is as good as the last of them.
    if (count === MISSED_MAX) return { count, lastMs: untilMs, beforeMs: lastMs, more: true };
    count += 1;
    [beforeMs, lastMs] = [lastMs, next];
    next = calendar.next(next);
  }
  return count === 0 ? null : { count, lastMs, beforeMs, more: false };
}
