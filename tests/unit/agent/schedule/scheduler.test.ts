// The scheduler by a hand clock, with jobs that the test ends: what it starts, what it says, what
// it keeps over a restart.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScheduleEntry } from "../../../../agent/config/mod.ts";
import {
  AWAIT_PEER_MS,
  LOOK_MS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  SAVE_DELAY_MS,
} from "../../../../agent/schedule/limits.ts";
import { Scheduler } from "../../../../agent/schedule/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { HOUR, HOURLY, Jobs, MINUTE, settle, VERIFYING, WallClock } from "./schedule_bed.ts";

const { files, random } = await currentRuntime();

describe("Scheduler", () => {
  let folder: string;
  let clock: WallClock;
  let jobs: Jobs;
  let log: string[];
  let stopping: AbortController;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "agent-schedule-"));
    clock = new WallClock();
    jobs = new Jobs();
    log = [];
  });

  afterEach(() => {
    stopping.abort();
    rmSync(folder, { recursive: true, force: true });
  });

  const path = () => join(folder, "state", "schedules.json");

  function open(...entries: readonly ScheduleEntry[]): Scheduler {
    stopping = new AbortController();
    const scheduler = new Scheduler(entries, {
      clock,
      random,
      files,
      path: path(),
      log: (level, message) => log.push(`${level} ${message}`),
      start: (request) => jobs.start(request),
      isUnderWay: () => jobs.underWay,
      ended: (job) => jobs.ended(job),
    }, stopping.signal);
    void scheduler.run();
    return scheduler;
  }

  async function stop(scheduler: Scheduler): Promise<void> {
    stopping.abort();
    await jobs.end("cancelled");
    await scheduler.close();
  }

  const first = (scheduler: Scheduler) => scheduler.views()[0];

  test("starts a job when its time comes, shows it, and keeps what became of it", async () => {
    const scheduler = open(HOURLY);
    await clock.advance(HOUR - 1);
    expect([jobs.requests, first(scheduler)?.next]).toEqual([[], "2026-03-01T13:00:00.000Z"]);
    await clock.advance(1);
    expect(jobs.requests).toMatchObject([HOURLY.task]);
    expect(first(scheduler)).toMatchObject({
      job: "j1",
      next: "2026-03-01T14:00:00.000Z",
      runs: 0,
    });
    await clock.advance(90_000);
    await jobs.end("ok");
    const shown = {
      schedule: "hourly",
      kind: "backup-filesystem",
      client: "web01",
      job: null,
      lastRun: "2026-03-01T13:00:00.000Z",
      lastOutcome: "ok",
      lastSuccess: "2026-03-01T13:00:00.000Z",
      lastSuccessAgeSeconds: 90,
      runs: 1,
      failed: 0,
      missed: 0,
      skipped: 0,
    };
    expect(first(scheduler)).toMatchObject(shown);
    expect(log).toEqual(['info schedule "hourly": started job "j1"']);
    await clock.advance(SAVE_DELAY_MS);
    const kept = readFileSync(path(), "utf8");
    await stop(scheduler);
    expect(readFileSync(path(), "utf8")).toBe(kept);
    expect(first(open(HOURLY))).toMatchObject({ ...shown, lastSuccessAgeSeconds: 91 });
  });

  test("skips a run while the last one, or another of the same source, goes on", async () => {
    const scheduler = open(HOURLY);
    await clock.advance(2 * HOUR);
    expect(jobs.requests.length).toBe(1);
    await jobs.end("incomplete", { code: "failed", message: "1 file" });
    jobs.underWay = true;
    await clock.advance(HOUR);
    jobs.underWay = false;
    expect(first(scheduler)).toMatchObject({ skipped: 2, runs: 1, lastSuccess: null });
    expect(log.slice(1)).toEqual([
      'warning schedule "hourly": skipped the run of 2026-03-01T14:00:00.000Z: ' +
      "the same runs or waits already",
      'warning schedule "hourly": incomplete: 1 file',
      'warning schedule "hourly": skipped the run of 2026-03-01T15:00:00.000Z: ' +
      "the same runs or waits already",
    ]);
    await clock.advance(HOUR);
    expect(jobs.requests.length).toBe(2);
  });

  test("reports what was missed while no daemon was there, and runs once late", async () => {
    await stop(open(HOURLY, { ...HOURLY, name: "patient", catchUp: false }));
    clock.jump(3.5 * HOUR);
    log.length = 0;
    const scheduler = open(HOURLY, { ...HOURLY, name: "patient", catchUp: false });
    await settle();
    expect(jobs.requests.length).toBe(1);
    const last = "missed 3 runs, the last at 2026-03-01T15:00:00.000Z";
    expect(log).toEqual([
      `warning schedule "hourly": ${last}; it runs now`,
      'info schedule "hourly": started job "j1"',
      `warning schedule "patient": ${last}; it runs next at 2026-03-01T16:00:00.000Z`,
    ]);
    expect(scheduler.views().map(({ missed, lastMissed }) => [missed, lastMissed]))
      .toEqual([[3, "2026-03-01T15:00:00.000Z"], [3, "2026-03-01T15:00:00.000Z"]]);
  });

  test("notices a machine that slept, and a clock that was set forward", async () => {
    open(HOURLY);
    await settle();
    clock.jump(1.5 * HOUR); // No timer tells of this.
    await clock.advance(LOOK_MS);
    expect(log[0]).toContain("missed a run, the last at 2026-03-01T13:00:00.000Z; it runs now");
    expect(jobs.requests.length).toBe(1);
  });

  test("tries again what found its daemon or its server busy", async () => {
    const scheduler = open(HOURLY);
    const busy = new AgentError("busy", "Cannot start a job: 5 jobs wait for their turn");
    jobs.refuse = busy;
    await clock.advance(HOUR);
    expect(log[0]).toContain(`busy: ${busy.message}; it is tried again at 2026-03-01T13:0`);
    jobs.refuse = null;
    await clock.advance(RETRY_MIN_MS - 1);
    expect(jobs.requests.length).toBe(0);
    await clock.advance(RETRY_MAX_MS - RETRY_MIN_MS + 1);
    expect(jobs.requests.length).toBe(1);
    await jobs.end("failed", { code: "busy", message: "the peer refused it" });
    await clock.advance(RETRY_MAX_MS);
    expect(jobs.requests.length).toBe(2);
    await jobs.end("ok");
    expect(first(scheduler)).toMatchObject({ runs: 1, failed: 0, skipped: 0, lastOutcome: "ok" });
  });

  async function missOne(): Promise<Scheduler> {
    await stop(open(HOURLY));
    clock.jump(1.25 * HOUR);
    log.length = 0;
    const scheduler = open(HOURLY);
    await settle();
    return scheduler;
  }

  const away = { code: "unreachable", message: "Cannot reach client" } as const;

  test("a late run that does not find its peer is tried again until it comes up", async () => {
    const scheduler = await missOne();
    await jobs.end("failed", away);
    expect(log.at(-1)).toContain(
      'warning schedule "hourly": no answer: Cannot reach client; it is tried again at 2026-03-01T13:',
    );
    await clock.advance(RETRY_MAX_MS);
    expect(jobs.requests.length).toBe(2);
    await jobs.end("failed", { ...away, code: "refused" });
    await clock.advance(RETRY_MAX_MS);
    await jobs.end("ok");
    expect(jobs.requests.length).toBe(3);
    expect(first(scheduler)).toMatchObject({ runs: 1, failed: 0, missed: 1, lastOutcome: "ok" });
  });

  test("a late run whose peer stays away fails once, and waits for its next turn", async () => {
    const scheduler = await missOne();
    const startedMs = clock.wallMs();
    for (let tries = 1; first(scheduler)?.failed === 0; tries++) {
      expect(jobs.requests.length).toBe(tries);
      await jobs.end("failed", away);
      if (first(scheduler)?.failed === 0) await clock.advance(RETRY_MAX_MS);
    }
    const waitedMs = clock.wallMs() - startedMs;
    expect(waitedMs).toBeGreaterThanOrEqual(AWAIT_PEER_MS);
    expect(waitedMs).toBeLessThanOrEqual(AWAIT_PEER_MS + RETRY_MAX_MS);
    expect(first(scheduler)).toMatchObject({ runs: 1, lastError: away.message });
    const tries = jobs.requests.length;
    await clock.advance(LOOK_MS);
    expect(jobs.requests.length).toBe(tries);
    // The turn after that is on time, and fails at once.
    await clock.advance(HOUR);
    expect(jobs.requests.length).toBe(tries + 1);
    await jobs.end("failed", away);
    expect(first(scheduler)).toMatchObject({ runs: 2, failed: 2 });
  });

  test("a run that fails, at once or later, is told, and waits for its next turn", async () => {
    const scheduler = open(HOURLY);
    jobs.refuse = new AgentError("damaged", "Cannot use the catalog");
    await clock.advance(HOUR);
    jobs.refuse = null;
    expect(first(scheduler)).toMatchObject({
      job: null,
      failed: 1,
      lastError: "Cannot use the catalog",
    });
    await clock.advance(HOUR - 1);
    expect(jobs.requests.length).toBe(0);
    await clock.advance(1);
    await jobs.end("failed", { code: "unreachable", message: "Cannot connect" });
    expect(first(scheduler)).toMatchObject({ failed: 2, lastError: "Cannot connect" });
    expect(log.at(-1)).toBe('warning schedule "hourly": failed: Cannot connect');
  });

  test("a daemon that stops starts nothing; what it cuts off is told, and runs again", async () => {
    const scheduler = open(HOURLY, { ...HOURLY, name: "soon", cron: "1 13 * * *" });
    await clock.advance(HOUR);
    await stop(scheduler);
    await clock.advance(MINUTE);
    expect(jobs.requests.length).toBe(1);
    log.length = 0;
    const next = open(HOURLY);
    await settle();
    expect(log[0]).toBe(
      'warning schedule "hourly": the run of 2026-03-01T13:00:00.000Z was cut off by the end of ' +
        "the daemon; it runs again now",
    );
    expect([jobs.requests.length, first(next)?.lastOutcome]).toEqual([2, "interrupted"]);
    // By a crash this time: nothing was told to the scheduler.
    await clock.advance(SAVE_DELAY_MS);
    log.length = 0;
    open(HOURLY);
    await settle();
    expect([jobs.requests.length, log.length]).toEqual([2, 1]);
    expect(log[0]).toContain("its next turn comes as ever");
  });

  test("a job that a person cancels is no failure, and is not repeated", async () => {
    const scheduler = open(HOURLY);
    await clock.advance(HOUR);
    await jobs.end("cancelled", { code: "cancelled", message: "Cannot finish the job: cancelled" });
    await clock.advance(HOUR - 1);
    expect(jobs.requests.length).toBe(1);
    expect(first(scheduler)).toMatchObject({ lastOutcome: "cancelled", runs: 1, failed: 0 });
  });

  test("replace() takes other entries; a job that runs and what was run last stay known", async () => {
    const scheduler = open(HOURLY);
    await clock.advance(HOUR);
    const later = { ...HOURLY, cron: "30 * * * *" };
    scheduler.replace([later, { ...HOURLY, name: "new", cron: "31 * * * *" }]);
    const [known, added] = scheduler.views();
    expect(known).toMatchObject({ job: "j1", next: "2026-03-01T13:30:00.000Z" });
    expect(added).toMatchObject({ schedule: "new", job: null, missed: 0 });
    await jobs.end("ok");
    expect(first(scheduler)).toMatchObject({ job: null, runs: 1, lastOutcome: "ok" });
    await clock.advance(31 * MINUTE);
    expect(jobs.requests.length).toBe(3);
    scheduler.replace([]);
    await clock.advance(2 * HOUR);
    expect([jobs.requests.length, scheduler.views()]).toEqual([3, []]);
  });

  test("each scheduled verification looks at the next part, and an expiry is no dry run", async () => {
    const hourly = { cron: HOURLY.cron, timeZone: "UTC", catchUp: true };
    const scheduler = open(
      { name: "verify", ...hourly, task: { kind: "verify", data: true, parts: 3 } },
      {
        name: "whole",
        ...hourly,
        cron: "1 * * * *",
        task: { kind: "verify", data: false, parts: 1 },
      },
      { name: "expire", ...hourly, cron: "2 * * * *", task: { kind: "expire" } },
    );
    for (let hour = 0; hour < 4; hour++) {
      for (const minutes of [1, 1, 58]) {
        await clock.advance(minutes * MINUTE);
        await jobs.end("ok");
      }
    }
    expect(scheduler.views().map(({ schedule, runs }) => [schedule, runs])).toEqual([
      ["verify", 4],
      ["whole", 4],
      ["expire", 4],
    ]);
    const parts = jobs.requests.flatMap((one) =>
      one.kind === "verify" && one.data ? [one.subset] : []
    );
    expect(parts).toEqual([1, 2, 3, 1].map((part) => ({ part, of: 3 })));
    expect(jobs.requests.find((one) => one.kind === "verify" && !one.data))
      .toEqual({ kind: "verify", backups: [], data: false, subset: null });
    expect(jobs.requests.find((one) => one.kind === "expire")).toEqual({
      kind: "expire",
      dryRun: false,
    });
  });

  test("only a verification that looked at its part to the end goes on to the next one", async () => {
    const checks: ScheduleEntry = {
      ...HOURLY,
      task: { kind: "verify", data: true, parts: 9 },
    };
    const part = async () => {
      await clock.advance(HOUR);
      const last = jobs.requests.at(-1);
      return last?.kind === "verify" ? last.subset?.part : null;
    };
    let scheduler = open(checks);
    expect(await part()).toBe(1);
    await jobs.end("ok");
    expect(await part()).toBe(2);
    await jobs.end("cancelled", { code: "cancelled", message: "Cannot finish the job" }, VERIFYING);
    expect(await part()).toBe(2);
    await jobs.end("failed", { code: "failed", message: "no memory" }, VERIFYING);
    expect(await part()).toBe(2);
    // The catalog's damage: nothing was looked at.
    await jobs.end("failed", { code: "damaged", message: "Cannot use the catalog" });
    const started = jobs.requests.length;
    jobs.refuse = new AgentError("damaged", "Cannot use the catalog");
    await clock.advance(HOUR);
    jobs.refuse = null;
    expect([await part(), jobs.requests.length]).toEqual([2, started + 1]);
    await jobs.end("failed", { code: "damaged", message: "Cannot vouch for it" }, VERIFYING);
    expect(await part()).toBe(3);
    await jobs.end("ok");
    await stop(scheduler);
    scheduler = open(checks);
    expect(await part()).toBe(4);
    await jobs.end("ok");
    expect(first(scheduler)).toMatchObject({ runs: 8, failed: 4 });
  });

  test("goes on without a file that can be read, or written", async () => {
    mkdirSync(join(folder, "state"));
    writeFileSync(path(), "{}");
    await stop(open(HOURLY));
    expect(log.splice(0)).toEqual([
      `warning cannot use "${path()}": what schedules missed is not known`,
    ]);
    rmSync(join(folder, "state"), { recursive: true });
    writeFileSync(join(folder, "state"), "no directory");
    const scheduler = open(HOURLY);
    await clock.advance(HOUR);
    await jobs.end("ok");
    await clock.advance(SAVE_DELAY_MS);
    expect(log.join("\n")).toContain(`warning cannot write "${path()}": `);
    expect(first(scheduler)).toMatchObject({ runs: 1 });
  });
});
