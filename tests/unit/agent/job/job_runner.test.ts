// The worker of a job on the main thread's side: what becomes of the job and of what it was lent
// when the worker ends, crashes, cannot start, or is told to stop while it publishes.

import { beforeEach, describe, expect, test } from "bun:test";
import type { AuditEntry } from "../../../../agent/audit_log.ts";
import {
  type FromWorker,
  type FromWriter,
  type Job,
  JobRunner,
  sourceOfRequest,
  type ToWorker,
} from "../../../../agent/job/mod.ts";
import type { ServerVerifyTask } from "../../../../agent/job/mod.ts";
import { CANCEL_GRACE_MS } from "../../../../agent/job/limits.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { AgentError } from "../../../../transport/ground/mod.ts";
import { currentRuntime, type Thread } from "../../../../transport/runtime/mod.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";

const { random } = await currentRuntime();
const TASK: ServerVerifyTask = {
  kind: "server-verify",
  identity: { name: "vault01", job: "j", token: "00", connections: 1 },
  steps: [],
  vault: "/vault",
  backups: [],
  data: false,
  subset: null,
};
const END: FromWorker = {
  type: "end",
  result: { status: "ok", backup: "b1", files: 1, bytes: 2 },
  channels: { network: { bytes: 3 }, storage: { bytes: 4 } },
  closed: false,
};

class FakeThread implements Thread {
  readonly sent: string[] = [];
  terminated = false;
  leaves = false;
  say: (message: FromWorker | FromWriter) => void = () => {};
  crash: (error: Error) => void = () => {};

  post(message: unknown): void {
    this.sent.push((message as ToWorker).type);
  }

  onMessage(handler: (message: unknown) => void): void {
    this.say = handler;
  }

  onError(handler: (error: Error) => void): void {
    this.crash = handler;
  }

  holdsDescriptors(): boolean {
    return this.leaves;
  }

  terminate(): void | Promise<void> {
    this.terminated = true;
  }
}

/** Lets promises that are settled be heard. */
async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

let clock: HandClock;
let thread: FakeThread;
let runner: JobRunner;
let troubles: string[];
let audited: AuditEntry[];
let returned: number;
let writer: FakeThread;
let start: () => Thread;

const create = () =>
  runner.create({ id: null, kind: "backup-filesystem", client: "web01", request: null });
const giveBack = () => Promise.resolve(void returned++);

beforeEach(() => {
  clock = new HandClock();
  thread = new FakeThread();
  writer = new FakeThread();
  troubles = [];
  audited = [];
  returned = 0;
  start = () => thread;
  runner = new JobRunner({
    limits: { maxRunning: 2, maxQueued: 2 },
    clock,
    random,
    startThread: () => start(),
    equipThread: () => {},
    audit: (entry) => audited.push(entry),
    startWriter: () => writer,
    onAssertion: (message) => troubles.push(`assertion: ${message}`),
    onTrouble: (message) => troubles.push(message),
  });
});

describe("JobRunner", () => {
  test("brings what a job's peer asked for into the audit log, with the job", () => {
    const job = create();
    runner.run(job, TASK, giveBack);
    const entry = { action: "backup-database", result: "asked", details: { database: "app" } };
    thread.say({ type: "audit", peer: "web01", entry });
    thread.say({ type: "audit", peer: null, entry });
    const told = { ...entry, details: { job: job.start.id, database: "app" } };
    expect(audited).toEqual([
      { ...told, who: { by: "peer", name: "web01" } },
      { ...told, who: { by: "peer" } },
    ]);
  });

  test("gives back what a job was lent when its worker ends, before stop() returns", async () => {
    const job = create();
    runner.run(job, TASK, giveBack);
    thread.say(END);
    await runner.stop();
    expect([job.view().state, thread.terminated, returned]).toEqual(["ok", true, 1]);
  });

  test("a job's writer serves it, outlives it in order, and ends with stop()", async () => {
    runner.run(create(), TASK, giveBack);
    thread.say({ type: "writer" });
    thread.say({ type: "writer" });
    expect([writer.sent, thread.sent]).toEqual([["serve"], ["task", "writer"]]);
    thread.say({ ...END, closed: true });
    await turns();
    expect([returned, writer.terminated]).toEqual([1, false]);
    runner.run(create(), TASK, giveBack);
    thread.say({ type: "writer" });
    expect(writer.sent).toEqual(["serve", "serve"]);
    thread.say({ ...END, closed: true });
    await runner.stop();
    expect(writer.terminated).toBe(true);
  });

  test("a writer that fails fails its job, and is gone before the job's thread ends", async () => {
    const order: string[] = [];
    const ending = (name: string, ended: Promise<void>) => async () => {
      await ended;
      order.push(name);
    };
    for (const fail of ["crash", "say"] as const) {
      const job = create();
      [thread, writer] = [new FakeThread(), new FakeThread()];
      thread.terminate = ending("thread", Promise.resolve());
      writer.terminate = ending("writer", turns());
      runner.run(job, TASK, giveBack);
      thread.say({ type: "writer" });
      if (fail === "crash") writer.crash(new Error("it is gone"));
      else writer.say({ type: "error", error: { code: "internal", message: "it is gone" } });
      await turns(9);
      expect([job.view().state, job.view().error?.message]).toEqual(["failed", "it is gone"]);
    }
    expect(order).toEqual(["writer", "thread", "writer", "thread"]);
  });

  test("a writer that cannot be ended keeps no job's thread", async () => {
    writer.terminate = () => Promise.reject(new Error("a descriptor does not close"));
    const before = runner.run(create(), TASK, giveBack);
    thread.say({ type: "writer" });
    thread.say(END);
    await before.ended;
    expect([thread.terminated, returned]).toEqual([true, 1]);
    expect(troubles.join()).toContain("a descriptor does not close");
  });

  test("a writer's broken assertion is told, and a job that has ended gets none", async () => {
    runner.run(create(), TASK, giveBack);
    thread.say({ type: "writer" });
    writer.say({ type: "assertion", message: "no slot" });
    expect(troubles).toEqual(["assertion: no slot"]);
    writer = new FakeThread();
    runner.run(create(), TASK, giveBack);
    thread.say(END);
    thread.say({ type: "writer" });
    await turns();
    expect(writer.sent).toEqual([]);
  });

  test("setLimits() lets jobs begin that waited", async () => {
    const begun: string[] = [];
    const submit = () => {
      const start = { id: null, kind: "verify", client: null, request: null } as const;
      runner.submit(start, { source: null, begin: (job) => void begun.push(job.start.id) });
    };
    for (let count = 0; count < 4; count++) submit();
    expect(begun.length).toBe(2);
    runner.setLimits({ maxRunning: 3, maxQueued: 2 });
    expect([begun.length, runner.queuedCount]).toEqual([3, 1]);
    await runner.stop();
  });

  test("logs a fallback with the job, the code and what was found", async () => {
    const job = create();
    runner.run(job, TASK, giveBack);
    thread.say({ type: "fallback", fallback: { reason: "no_endpoint", detail: "16 in use" } });
    thread.say(END);
    await runner.stop();
    expect(troubles).toEqual([
      `job "${job.start.id}" falls back to the network, no_endpoint: 16 in use`,
    ]);
    expect(job.view().summary?.fallback).toBe("no_endpoint");
  });

  test("fails the job and gives back when the worker crashes", async () => {
    const job = create();
    runner.run(job, TASK, giveBack);
    thread.crash(new Error("out of memory"));
    await runner.stop();
    expect(job.view().error).toEqual({ code: "internal", message: "out of memory" });
    expect(returned).toBe(1);
  });

  test("fails the job and gives back when no worker can start", async () => {
    const job = create();
    const error = new AgentError("failed", "Cannot start a thread");
    start = () => {
      throw error;
    };
    expect(() => runner.run(job, TASK, giveBack)).toThrow(error);
    await runner.stop();
    expect([job.view().state, returned]).toEqual(["failed", 1]);
  });

  test("tells of leases that cannot be given back, and goes on", async () => {
    const job = create();
    const error = new AgentError("volume", "Cannot write v0");
    runner.run(job, TASK, () => Promise.reject(error));
    thread.say(END);
    await runner.stop();
    expect(troubles).toEqual([`job "${job.start.id}": Cannot write v0`]);
    expect(job.view().state).toBe("ok");
  });

  test("ends the thread of a cancelled job after the grace time, with the bytes so far", async () => {
    const job = create();
    const { ended } = runner.run(job, TASK, giveBack);
    const channels = { network: { bytes: 7 }, storage: { bytes: 8 } };
    const counts = { files: 0, bytes: 0, totalFiles: null, totalBytes: null };
    const rates = { seconds: 1, bytesPerSecond: 0 };
    const body = { type: "progress", job: "j", phase: "reading", channels } as const;
    thread.say({ type: "report", body: { ...body, ...counts, ...rates } });
    runner.cancel(job.start.id);
    await clock.ring(CANCEL_GRACE_MS);
    await ended;
    expect(thread.sent).toEqual(["task", "cancel"]);
    expect([job.view().state, job.view().summary?.channels]).toEqual(["cancelled", channels]);
  });

  test("tells the workers of a lost group, but not of jobs that ended", () => {
    runner.run(create(), TASK, giveBack);
    const error = { code: "volume", message: "Cannot keep host id 1" } as const;
    runner.lose("stg0", error);
    thread.say(END);
    runner.lose("stg0", error);
    expect(thread.sent).toEqual(["task", "lost"]);
  });

  describe("queue of two that run and two that wait", () => {
    const REQUEST = { kind: "backup-filesystem", client: "web01", request: null } as const;
    let threads: FakeThread[];
    let begun: string[];

    const submit = (name: string, source: string | null = name) =>
      runner.submit({ id: name, ...REQUEST }, {
        source,
        begin: (job) => {
          begun.push(name);
          runner.run(job, TASK, giveBack);
        },
      });
    const states = () => runner.board.all().map((job) => job.view().state).join(" ");
    const settle = async () => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    };

    beforeEach(() => {
      threads = [];
      begun = [];
      start = () => {
        threads.push(new FakeThread());
        return threads.at(-1) ?? thread;
      };
    });

    test("further jobs wait in order, say so, and begin when one has given back", async () => {
      for (const name of ["a", "b", "c", "d"]) submit(name);
      expect([begun.join(""), runner.queuedCount]).toEqual(["ab", 2]);
      expect(states()).toBe("connecting connecting queued queued");
      expect(runner.board.find("c").view().progress?.phase).toBe("queued");
      threads[1]?.say(END);
      await settle();
      expect([begun.join(""), states()]).toEqual(["abc", "connecting ok connecting queued"]);
    });

    test("a full queue refuses with the keys that help, but not what may begin", async () => {
      submit("a");
      for (const name of ["a1", "a2"]) submit(name, "a");
      const error = await failure(() => submit("a3", "a"));
      expect([error.code, error.message]).toEqual([
        "busy",
        "Cannot start a job: 2 jobs wait for their turn, need fewer than 2",
      ]);
      expect(error.hint).toContain("jobs.max_queued");
      expect(runner.board.has("a3")).toBe(false);
      submit("b");
      expect(begun.join(" ")).toBe("a b");
    });

    test("cancel() of one that waits ends it at once, and it never begins", async () => {
      for (const name of ["a", "b", "c", "d"]) submit(name);
      expect(runner.cancel("c").view()).toMatchObject({
        state: "cancelled",
        error: { code: "cancelled", message: "Cannot start the job: cancelled while it waited" },
        summary: { status: "failed" },
      });
      threads[0]?.say(END);
      await settle();
      expect(begun.join("")).toBe("abd");
    });

    test("stop() cancels what waits and begins nothing more", async () => {
      for (const name of ["a", "b", "c"]) submit(name);
      const stopped = runner.stop();
      for (const one of threads) one.say(END);
      await stopped;
      expect([begun.join(""), states()]).toEqual(["ab", "ok ok cancelled"]);
      expect((await failure(() => submit("d"))).code).toBe("busy");
    });

    test("a job that cannot begin fails, and the next has its turn", async () => {
      submit("a");
      submit("b");
      runner.submit({ id: "c", ...REQUEST }, {
        source: null,
        begin: () => {
          throw new AgentError("damaged", "Cannot use the catalog");
        },
      });
      submit("d");
      threads[0]?.say(END);
      await settle();
      expect([begun.join(""), states()]).toEqual(["abd", "ok connecting failed connecting"]);
      expect(runner.board.find("c").view().error?.code).toBe("damaged");
    });

    test("isUnderWay() while a backup of the source that is as full waits or runs", async () => {
      const request = (full: boolean, path = "/srv") =>
        ({ kind: "backup-filesystem", client: "w", paths: [path], full, ...EVERYTHING }) as const;
      const source = sourceOfRequest(request(false));
      const begin = (job: Job) => void runner.run(job, TASK, giveBack);
      const start = { ...REQUEST, id: null };
      const answers = () => [false, true].map((full) => runner.isUnderWay(request(full)));
      expect(answers()).toEqual([false, false]);
      runner.submit({ ...start, request: request(false) }, { source, begin });
      expect(answers()).toEqual([true, false]);
      runner.submit({ ...start, request: request(true) }, { source, begin });
      expect([runner.queuedCount, answers()]).toEqual([1, [true, true]]);
      expect(runner.isUnderWay(request(false, "/etc"))).toBe(false);
      expect(runner.isUnderWay({ kind: "expire", dryRun: false })).toBe(false);
      for (const turn of [0, 1]) {
        threads[turn]?.say(END);
        await settle();
      }
      expect(answers()).toEqual([false, false]);
    });

    test("jobs of peers take no turn, and have a limit of their own", async () => {
      for (let count = 0; count < 3; count++) runner.run(create(), TASK, giveBack);
      submit("a");
      expect(begun.join("")).toBe("a");
      expect((await failure(() => runner.requirePeerRoom(3))).code).toBe("busy");
      runner.requirePeerRoom(4);
      threads[0]?.say(END);
      await settle();
      runner.requirePeerRoom(3);
    });
  });

  test("lets a job that publishes end by itself, whatever the grace time", async () => {
    const job = create();
    const { ended } = runner.run(job, TASK, giveBack);
    runner.cancel(job.start.id);
    thread.say({ type: "committing" });
    await clock.ring(CANCEL_GRACE_MS);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect([job.ended, thread.terminated]).toEqual([false, false]);
    thread.say(END);
    await ended;
    expect(job.view().summary).toMatchObject({ status: "ok", backup: "b1" });
  });
});
