// A job as its daemon keeps it: events and their watchers, the one summary; the board of jobs; the
// progress meter.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JobEvent, Progress, TraceStep, Warning } from "../../../../agent/control/daemon.ts";
import { Job, type JobEnd } from "../../../../agent/job/job.ts";
import { JobBoard } from "../../../../agent/job/job_board.ts";
import {
  ENDED_JOBS_MAX,
  JOB_EVENTS_MAX,
  JOB_WARNING_CHARACTERS_MAX,
  PROGRESS_INTERVAL_MS,
  TEXT_LENGTH_MAX,
  TRACE_STEPS_MAX,
  WARNING_PATH_BYTES_MAX,
} from "../../../../agent/job/limits.ts";
import { ProgressMeter } from "../../../../agent/job/progress_meter.ts";
import { failure } from "../../transport/connect/failure.ts";

const CHANNELS = { network: { bytes: 1 }, storage: { bytes: 2 } } as const;
const COUNTS = {
  phase: "reading",
  files: 1,
  bytes: 0,
  totalFiles: null,
  totalBytes: null,
  channels: CHANNELS,
} as const;

function newJob(id = "job1"): Job {
  return new Job({
    id,
    kind: "backup-filesystem",
    client: "web01",
    request: null,
    createdMs: 0,
    startedMs: 1000,
  });
}

const end = (change: Partial<JobEnd> = {}): JobEnd => ({
  state: "ok",
  backup: null,
  files: 3,
  bytes: 4,
  channels: CHANNELS,
  error: null,
  ...change,
});

function progress(bytes: number): Progress {
  return { type: "progress", job: "job1", ...COUNTS, bytes, seconds: 0, bytesPerSecond: 0 };
}

function warning(message: string): Warning {
  return { type: "warning", job: "job1", code: "x", message, path: null };
}

async function collect(job: Job, since: number, signal?: AbortSignal): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  const never = new AbortController().signal;
  for await (const event of job.events({ since, signal: signal ?? never })) events.push(event);
  return events;
}

const FAILED = { code: "no_space", message: "Cannot write" } as const;

describe("Job", () => {
  test("goes from queued by connecting and running to its end", () => {
    const job = newJob();
    expect(job.view().state).toBe("queued");
    job.setConnecting();
    expect(job.view().state).toBe("connecting");
    job.setRunning("restore-filesystem");
    expect([job.view().state, job.view().kind]).toEqual(["running", "restore-filesystem"]);
    job.end(end(), 3500);
    expect(job.view().state).toBe("ok");
    expect(job.view().summary?.seconds).toBe(2.5);
  });

  test("events() numbers events 1, 2, 3 and ends after the one summary", async () => {
    const job = newJob();
    const live = collect(job, 0);
    job.report(progress(1));
    job.report(warning("w"));
    job.end(end({ state: "failed", error: FAILED }), 2000);
    job.end(end(), 3000);
    job.report(warning("late"));
    const types = ["progress", "warning", "error", "summary"] as const;
    const late = await collect(job, 0);
    expect(late.map((event) => [event.id, event.body.type])).toEqual(
      types.map((type, index) => [index + 1, type]),
    );
    expect(await live).toEqual(late);
    expect(job.view().error).toEqual(FAILED);
    expect(job.view().state).toBe("failed");
  });

  test("events() resumes after `since`, beyond the end too", async () => {
    const job = newJob();
    for (let index = 0; index < 5; index++) job.report(progress(index));
    job.end(end(), 2000);
    expect((await collect(job, 4)).map((event) => event.id)).toEqual([5, 6]);
    expect(await collect(job, 6)).toEqual([]);
    expect(await collect(job, 99)).toEqual([]);
  });

  test("events() wakes many watchers for what comes, and ends those that leave", async () => {
    const job = newJob();
    const stop = new AbortController();
    const staying = [collect(job, 0), collect(job, 0)];
    const leaving = collect(job, 0, stop.signal);
    await Promise.resolve();
    stop.abort();
    expect(await leaving).toEqual([]);
    job.report(progress(1));
    job.end(end(), 2000);
    for (const events of await Promise.all(staying)) expect(events).toHaveLength(2);
  });

  test("events() ends a watcher that leaves while it handles an event", async () => {
    const job = newJob();
    job.report(progress(1));
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const event of job.events({ since: 0, signal: stop.signal })) {
      seen.push(event.id);
      stop.abort();
    }
    expect(seen).toEqual([1]);
  });

  test("drops old progress first, then the oldest; warnings and the end stay", async () => {
    const job = newJob();
    const half = JOB_EVENTS_MAX / 2;
    for (let index = 0; index < half; index++) job.report(warning(`w${index}`));
    for (let index = 0; index < JOB_EVENTS_MAX * 2; index++) job.report(progress(index));
    job.end(end(), 2000);
    const events = await collect(job, 0);
    expect(events).toHaveLength(JOB_EVENTS_MAX);
    expect(events.filter((event) => event.body.type === "warning")).toHaveLength(half);
    expect(events.at(-1)?.body.type).toBe("summary");
    const ids = events.map((event) => event.id);
    expect(ids.toSorted((a, b) => a - b)).toEqual(ids);
    const newest = events.at(-2)?.body;
    expect(newest?.type === "progress" && newest.bytes).toBe(JOB_EVENTS_MAX * 2 - 1);
  });

  test("keeps warnings of so many characters, the newest, whatever a peer sends", async () => {
    const job = newJob();
    const message = "m".repeat(TEXT_LENGTH_MAX);
    const path = "p".repeat(WARNING_PATH_BYTES_MAX);
    job.report(progress(1));
    for (let index = 0; index < JOB_EVENTS_MAX / 2; index++) {
      job.report({ ...warning(message), code: `${index}`, path });
    }
    job.end(end(), 2000);
    const bodies = (await collect(job, 0)).map(({ body }) => body);
    const warnings = bodies.filter((body) => body.type === "warning");
    const kept = warnings.length * (TEXT_LENGTH_MAX + WARNING_PATH_BYTES_MAX);
    expect(kept).toBeLessThanOrEqual(JOB_WARNING_CHARACTERS_MAX);
    expect(warnings.at(-1)?.code).toBe(`${JOB_EVENTS_MAX / 2 - 1}`);
    expect([bodies[0]?.type, bodies.at(-1)?.type]).toEqual(["progress", "summary"]);
  });

  test("keeps the first steps of a trace, and says that others are missing", () => {
    const job = newJob();
    const step: Omit<TraceStep, "atMs"> = {
      figure: "5",
      side: "client",
      step: "1",
      call: "",
      skipped: false,
    };
    const many = Array.from({ length: 110_000 }, (_, index) => ({ ...step, atMs: index }));
    for (let turn = 0; turn < 3; turn++) job.addSteps(many);
    const kept = job.steps();
    expect(kept.length).toBeLessThan(110_000);
    expect(kept.length).toBeGreaterThan(2 * TRACE_STEPS_MAX);
    expect(kept.slice(0, -1)).toEqual(many.slice(0, kept.length - 1));
    expect(kept.at(-1)).toMatchObject({ skipped: true, call: expect.stringContaining("left out") });
  });

  test("a fallback is a warning at once and a code in the summary, of a failed job, too", () => {
    for (const state of ["ok", "failed"] as const) {
      const job = newJob();
      job.setFallback({ reason: "client_volume_failed", detail: "v0: I/O error" });
      job.end(end({ state }), 1);
      expect(job.view().summary?.fallback).toBe("client_volume_failed");
      job.setFallback({ reason: "connection_lost", detail: "too late" });
      expect(job.view().summary?.fallback).toBe("client_volume_failed");
    }
  });

  test("the seconds of a job that waited count from when it began", () => {
    const job = newJob();
    job.begin(61_000);
    job.end(end(), 63_500);
    expect(job.view().summary?.seconds).toBe(2.5);
  });

  test("says in its summary what a restore and a drill came to, a failed drill too", () => {
    const none = { files: 0, bytes: 0 };
    const verdicts = { make: none, replace: none, attributes: none, leave: none, blocked: none };
    const restored = newJob();
    restored.end(end({ verdicts }), 0);
    expect(restored.view().summary?.verdicts).toEqual(verdicts);
    const counts = {
      entries: 1,
      of: 2,
      bytes: 3,
      differences: 1,
      unproved: 0,
      undecrypted: false,
      seed: 4,
    };
    const drill = { time: "2026-01-01T00:00:00Z", status: "failed", ...counts } as const;
    const drilled = newJob();
    drilled.setRunning("drill");
    drilled.setBackup("b1");
    drilled.drill = drill;
    drilled.end(end({ state: "failed" }), 0);
    expect(drilled.view().summary).toMatchObject({ status: "failed", backup: "b1", drill });
    expect(Object.keys(newJob().view())).not.toContain("drill");
  });

  test("a failed backup names no backup in its summary, a restore names what it read", () => {
    const summary = (kind: "backup-filesystem" | "restore-filesystem", change: Partial<JobEnd>) => {
      const job = newJob();
      job.setRunning(kind);
      job.setBackup("b1");
      job.end(end(change), 2000);
      return job.view().summary;
    };
    expect(summary("backup-filesystem", {})?.backup).toBe("b1");
    expect(summary("backup-filesystem", { state: "failed" })?.backup).toBe(null);
    expect(summary("restore-filesystem", { state: "failed" })?.backup).toBe("b1");
    expect(summary("backup-filesystem", { state: "cancelled" })?.status).toBe("failed");
  });
});

describe("JobBoard", () => {
  test("find() takes a unique prefix, and an exact id before longer ones", async () => {
    const board = new JobBoard();
    for (const id of ["abc", "abcd", "xyz"]) board.add(newJob(id));
    expect(board.find("x").start.id).toBe("xyz");
    expect(board.find("abc").start.id).toBe("abc");
    for (const [prefix, count] of [["ab", 2], ["q", 0], ["", 3]] as const) {
      const error = await failure(() => board.find(prefix));
      expect(error.code).toBe("not_found");
      expect(error.message).toContain(`${count} jobs begin with it`);
    }
  });

  test("add() refuses an id that is taken: a peer cannot replace a job", async () => {
    const board = new JobBoard();
    const first = newJob("one");
    board.add(first);
    expect((await failure(() => board.add(newJob("one")))).code).toBe("auth");
    expect(board.find("one")).toBe(first);
  });

  test("add() forgets the oldest ended jobs, never a running one", () => {
    const board = new JobBoard();
    board.add(newJob("running"));
    for (let index = 0; index < ENDED_JOBS_MAX + 5; index++) {
      const job = newJob(`e${index}`);
      board.add(job);
      job.end(end(), 0);
    }
    board.add(newJob("last"));
    expect(board.all()).toHaveLength(ENDED_JOBS_MAX + 2);
    expect([board.has("running"), board.has("e4"), board.has("e5")]).toEqual([true, false, true]);
  });

  test("all() shows a validation while it runs, and nothing of it from the moment it ends", () => {
    const board = new JobBoard();
    const job = newJob("looks");
    job.setRunning("validate");
    board.add(job);
    expect(board.all()).toEqual([job]);
    job.end(end(), 0);
    expect(board.all()).toEqual([]);
    board.add(newJob("next"));
    expect(board.has("looks")).toBe(false);
  });
});

describe("ProgressMeter", () => {
  test("is due at once, then each PROGRESS_INTERVAL_MS", () => {
    const meter = new ProgressMeter("job1", 1000);
    expect(meter.due(1000)).toBe(true);
    meter.report(COUNTS, 1000);
    expect(meter.due(1000 + PROGRESS_INTERVAL_MS - 1)).toBe(false);
    expect(meter.due(1000 + PROGRESS_INTERVAL_MS)).toBe(true);
  });

  test("reports the rate over the last second, not over the whole job", () => {
    const meter = new ProgressMeter("job1", 0);
    expect(meter.report(COUNTS, 0).bytesPerSecond).toBe(0);
    for (let ms = 250; ms <= 5000; ms += 250) meter.report({ ...COUNTS, bytes: 0 }, ms);
    const bytes = (ms: number) => ({ ...COUNTS, bytes: (ms - 5000) * 10 });
    let last = 0;
    for (let ms = 5250; ms <= 8000; ms += 250) last = meter.report(bytes(ms), ms).bytesPerSecond;
    expect(last).toBe(10_000);
    expect(meter.report(bytes(8000), 8000).seconds).toBe(8);
  });

  test("is never negative nor anything but a number, whatever the counts", () => {
    const samples = fc.array(fc.tuple(fc.nat(5000), fc.nat(1e9)), { minLength: 1, maxLength: 30 });
    fc.assert(fc.property(samples, (steps) => {
      const meter = new ProgressMeter("job1", 0);
      let now = 0;
      for (const [ms, bytes] of steps) {
        now += ms;
        const { bytesPerSecond } = meter.report({ ...COUNTS, bytes }, now);
        expect(Number.isSafeInteger(bytesPerSecond) && bytesPerSecond >= 0).toBe(true);
      }
    }));
  });
});
