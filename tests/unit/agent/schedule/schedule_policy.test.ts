// What a schedule does: by examples, and as an account of every turn over random days.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Calendar } from "../../../../agent/schedule/calendar.ts";
import { CLOCK_BACK_MS, MISSED_MAX, ON_TIME_MS } from "../../../../agent/schedule/limits.ts";
import {
  beginRun,
  decide,
  endRun,
  newRecord,
  nextDueMs,
  postponeRun,
  resumeRecord,
} from "../../../../agent/schedule/schedule_policy.ts";
import {
  decodeRecords,
  encodeRecords,
  type ScheduleRecord,
} from "../../../../agent/schedule/schedule_record.ts";

const HOUR = 3_600_000;
const hourly: Calendar = { next: (afterMs) => (Math.floor(afterMs / HOUR) + 1) * HOUR };
/** Known since noon of some day. */
const NOON = 12 * HOUR;
const RECORD = newRecord("hourly", NOON);

interface Given {
  readonly catchUp?: boolean;
  readonly blocked?: boolean;
}

function decideAt(record: ScheduleRecord, nowMs: number, given: Given = {}) {
  const { catchUp = true, blocked = false } = given;
  return decide(record, { calendar: hourly, nowMs, catchUp, isBlocked: () => blocked });
}

function open(record: ScheduleRecord, late = false): ScheduleRecord {
  return beginRun(record, { startedMs: record.settledMs, late });
}

describe("decide()", () => {
  test("runs a turn once, and nothing before it", () => {
    expect(decideAt(RECORD, NOON + HOUR - 1)).toEqual({
      record: RECORD,
      start: null,
      missed: null,
      skippedMs: null,
    });
    const decision = decideAt(RECORD, NOON + HOUR);
    expect(decision).toMatchObject({ start: "on time", missed: null, skippedMs: null });
    expect(decideAt(decision.record, NOON + HOUR + 1)).toMatchObject({ start: null });
    const late = decideAt(RECORD, NOON + HOUR + ON_TIME_MS);
    expect(late).toMatchObject({ start: "on time", missed: null });
  });

  test("skips a turn while the last run goes on, or another does the same", () => {
    const given: readonly (readonly [ScheduleRecord, Given])[] = [
      [open(RECORD), {}],
      [RECORD, { blocked: true }],
    ];
    for (const [record, by] of given) {
      const decision = decideAt(record, NOON + HOUR, by);
      expect(decision).toMatchObject({ start: null, missed: null, skippedMs: NOON + HOUR });
      expect([decision.record.skipped, decision.record.settledMs]).toEqual([1, NOON + HOUR]);
    }
  });

  test("reports turns that were missed, and makes up for the last of them with catch_up", () => {
    const nowMs = NOON + 3 * HOUR + ON_TIME_MS + 1;
    const missed = { count: 3, lastMs: NOON + 3 * HOUR };
    const decision = decideAt(RECORD, nowMs);
    expect(decision).toMatchObject({ start: "late", missed, skippedMs: null });
    expect(decision.record).toMatchObject({ missed: 3, lastMissedMs: NOON + 3 * HOUR, skipped: 0 });
    expect(decideAt(decision.record, nowMs)).toMatchObject({ start: null, missed: null });
    expect(decideAt(RECORD, nowMs, { catchUp: false })).toMatchObject({ start: null, missed });
    expect(decideAt(RECORD, nowMs, { blocked: true })).toMatchObject({ start: null, missed });
  });

  test("runs the turn that is on time, and reports those before it", () => {
    const decision = decideAt(RECORD, NOON + 3 * HOUR + 1, { catchUp: false });
    const missed = { count: 2, lastMs: NOON + 2 * HOUR };
    expect(decision).toMatchObject({ start: "on time", missed, record: { missed: 2 } });
  });

  test("counts at most MISSED_MAX turns, and goes on from now", () => {
    const nowMs = NOON + (MISSED_MAX + 500.5) * HOUR;
    const decision = decideAt(RECORD, nowMs);
    expect(decision).toMatchObject({ start: "late", missed: { count: MISSED_MAX, lastMs: nowMs } });
    expect(decideAt(decision.record, nowMs + HOUR / 2)).toMatchObject({
      start: "on time",
      missed: null,
    });
  });

  test("a clock that is set back does not repeat a turn, one that was wrong is forgotten", () => {
    const ran = { ...RECORD, settledMs: NOON + 3 * HOUR };
    expect(decideAt(ran, NOON + 2 * HOUR)).toMatchObject({ start: null, record: ran });
    expect(decideAt(ran, NOON + 3 * HOUR)).toMatchObject({ start: null });
    const wrong = { ...RECORD, settledMs: NOON + HOUR + CLOCK_BACK_MS + 1 };
    const decision = decideAt(wrong, NOON + HOUR);
    expect(decision).toMatchObject({ start: null, record: { settledMs: NOON + HOUR } });
    expect(decideAt(decision.record, NOON + 2 * HOUR)).toMatchObject({ start: "on time" });
  });

  test("a run that was busy is tried again until its next turn comes", () => {
    const busy = postponeRun(open({ ...RECORD, settledMs: NOON + HOUR }), NOON + HOUR + 90_000);
    expect(nextDueMs(busy, { calendar: hourly, nowMs: NOON + HOUR })).toBe(NOON + HOUR + 90_000);
    expect(decideAt(busy, NOON + HOUR + 89_999)).toMatchObject({ start: null, record: busy });
    const retried = decideAt(busy, NOON + HOUR + 90_000);
    expect(retried).toMatchObject({ start: "late", missed: null, record: { retryMs: null } });
    const blocked = decideAt(busy, NOON + HOUR + 90_000, { blocked: true });
    expect(blocked).toMatchObject({ start: null, record: { retryMs: null, skipped: 0 } });
    const never = { ...busy, retryMs: NOON + 5 * HOUR };
    const overtaken = decideAt(never, NOON + 2 * HOUR);
    expect(overtaken).toMatchObject({ start: "on time", record: { retryMs: null, skipped: 1 } });
  });
});

describe("resumeRecord()", () => {
  const at = { calendar: "hourly", nowMs: NOON + HOUR, catchUp: true };

  test("a run that was cut off is told and runs again, but a late one only once", () => {
    const message = "the daemon ended before it";
    const lastRun = { startedMs: NOON, outcome: "interrupted", message };
    const resumed = resumeRecord(open(RECORD), at);
    expect(resumed).toMatchObject({ open: null, lastRun, retryMs: at.nowMs, runs: 0 });
    expect(decideAt({ ...resumed, settledMs: at.nowMs }, at.nowMs)).toMatchObject({
      start: "late",
    });
    expect(resumeRecord(open(RECORD, true), at)).toMatchObject({ lastRun, retryMs: null });
    const patient = { ...at, catchUp: false };
    expect(resumeRecord(open(RECORD), patient)).toMatchObject({ lastRun, retryMs: null });
  });

  test("turns of another expression were never due", () => {
    expect(resumeRecord(RECORD, at)).toEqual(RECORD);
    expect(resumeRecord(RECORD, { ...at, calendar: "other" }))
      .toEqual({ ...RECORD, calendar: "other", settledMs: at.nowMs });
  });
});

describe("endRun()", () => {
  test("counts runs and failures, and only what is ok is a success", () => {
    let record = RECORD;
    for (const outcome of ["ok", "incomplete", "failed", "cancelled"] as const) {
      const startedMs = NOON + record.runs;
      const message = outcome === "ok" ? null : "x".repeat(5000);
      const looked = outcome !== "cancelled";
      record = endRun(beginRun(record, { startedMs, late: false }), { outcome, message, looked });
      expect(record.lastRun).toEqual({
        startedMs,
        outcome,
        message: message === null ? null : "x".repeat(1024),
      });
    }
    expect(record).toMatchObject({
      open: null,
      runs: 4,
      failed: 1,
      looked: 3,
      lastSuccessMs: NOON,
    });
  });
});

describe("the account of a schedule's turns", () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.nat(HOUR) }) },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant("down" as const), ms: fc.nat(9 * HOUR) }),
    },
    { weight: 3, arbitrary: fc.constant({ type: "end" as const }) },
    { weight: 1, arbitrary: fc.constant({ type: "busy" as const }) },
  );

  test("each turn runs on time, is skipped, or is missed; one run at a time", () => {
    const property = fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.boolean(),
      (steps, catchUp) => {
        let record = RECORD;
        let nowMs = NOON;
        const counts = { onTime: 0, late: 0, owed: 0 };
        const look = () => {
          const before = record;
          const decision = decideAt(record, nowMs, { catchUp });
          expect(decision.record.settledMs).toBeGreaterThanOrEqual(before.settledMs);
          record = decision.record;
          // What was owed and is overtaken is one skipped run more, but no turn.
          if (before.retryMs !== null && record.settledMs > before.settledMs) counts.owed += 1;
          if (decision.start === null) return;
          expect(record.open).toBe(null);
          if (decision.start === "on time") counts.onTime += 1;
          else counts.late += 1;
          record = beginRun(record, { startedMs: nowMs, late: decision.start === "late" });
        };
        for (const one of steps) {
          if (one.type === "wait" || one.type === "down") nowMs += one.ms;
          if (one.type === "down") {
            record = resumeRecord(record, {
              calendar: "hourly",
              nowMs,
              catchUp,
            });
          }
          if (one.type === "end" && record.open !== null) {
            record = endRun(record, { outcome: "ok", message: null, looked: true });
          }
          if (one.type === "busy" && record.open !== null) {
            record = postponeRun(
              record,
              nowMs + 90_000,
            );
          }
          look();
          record = decodeRecords(encodeRecords(new Map([["s", record]])))?.get("s") ?? RECORD;
        }
        const turns = Math.floor(nowMs / HOUR) - NOON / HOUR;
        expect(counts.onTime + record.skipped - counts.owed + record.missed).toBe(turns);
        if (!catchUp && !steps.some(({ type }) => type === "busy")) expect(counts.late).toBe(0);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});

describe("decodeRecords()", () => {
  test("takes what encodeRecords() made, and nothing else", () => {
    const records = new Map([["a", RECORD], ["b", open(RECORD)]]);
    expect(decodeRecords(encodeRecords(records))).toEqual(records);
    const bytes = (text: string) => new TextEncoder().encode(text);
    const older = new TextDecoder().decode(encodeRecords(new Map([["a", { ...RECORD, runs: 7 }]])))
      .replace(',"looked":0', "");
    expect(decodeRecords(bytes(older))?.get("a")).toEqual({ ...RECORD, runs: 7, looked: 7 });
    const text = new TextDecoder().decode(encodeRecords(records));
    const bad = ["", "{", "[]", '{"version":2,"schedules":{}}', text.slice(0, -9)];
    for (const one of [...bad, text.replace('"missed":0', '"missed":-1')]) {
      expect([one, decodeRecords(bytes(one))]).toEqual([one, null]);
    }
    expect(decodeRecords(Uint8Array.of(0xff))).toBe(null);
  });
});
