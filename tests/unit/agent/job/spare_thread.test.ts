// Threads between two jobs: which are kept for the next one, and what ends those that are.

import { beforeEach, describe, expect, test } from "bun:test";
import { SPARE_THREAD_MS } from "../../../../agent/job/limits.ts";
import {
  type FromWorker,
  Job,
  JobThread,
  type NetworkPart,
  type ServerVerifyTask,
  type ToWorker,
} from "../../../../agent/job/mod.ts";
import { SpareThread } from "../../../../agent/job/spare_thread.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";
import type { Thread } from "../../../../transport/runtime/mod.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";

const TASK: ServerVerifyTask = {
  kind: "server-verify",
  identity: { name: "vault01", job: "j", token: "00", connections: 1 },
  steps: [],
  vault: "/vault",
  backups: [],
  data: false,
  subset: null,
};
const at = (port: number) => ({ family: "AF_MEMORY", address: "here", port }) as const;
const channels = { network: { bytes: 0 }, storage: { bytes: 0 } };
const result = { status: "ok", backup: null, files: null, bytes: null } as const;
const END: FromWorker = { type: "end", result, channels, closed: true };

class FakeThread implements Thread {
  readonly sent: string[] = [];
  readonly networks: NetworkPart[] = [];
  ended = 0;
  holds = false;
  say: (message: FromWorker) => void = () => {};
  crash: (error: Error) => void = () => {};

  post(posted: unknown): void {
    const message = posted as ToWorker;
    if (message.type === "network") this.networks.push(message.network);
    else this.sent.push(message.type);
  }

  onMessage(handler: (message: unknown) => void): void {
    this.say = handler;
  }

  onError(handler: (error: Error) => void): void {
    this.crash = handler;
  }

  holdsDescriptors(): boolean {
    return this.holds;
  }

  terminate(): void {
    this.ended += 1;
  }
}

let clock: HandClock;
let threads: FakeThread[];
let spare: SpareThread;
let assertions: string[];
/** As the configuration says now. */
let network: NetworkPart;

beforeEach(() => {
  clock = new HandClock();
  threads = [];
  assertions = [];
  network = { name: "vault01", tls: null, peers: [] };
  spare = new SpareThread({
    clock,
    startThread: () => {
      const thread = new FakeThread();
      threads.push(thread);
      return thread;
    },
    equipThread: (thread) => thread.post({ type: "network", network } satisfies ToWorker),
    onAssertion: (message) => assertions.push(message),
  });
});

function run(id: string): JobThread {
  const kind = "verify";
  const job = new Job({ id, kind, client: null, request: null, createdMs: 0, startedMs: 0 });
  const onTrouble = () => {};
  const onAssertion = (message: string) => assertions.push(message);
  return new JobThread(job, TASK, {
    clock,
    threads: spare,
    writers: spare,
    audit: () => {},
    onAssertion,
    onTrouble,
  });
}

/** Runs a job to this end. @returns its thread */
async function runUntil(end: FromWorker): Promise<FakeThread> {
  const { ended } = run("a");
  const thread = threads.at(-1) ?? new FakeThread();
  thread.say(end);
  await ended;
  return thread;
}

describe("SpareThread", () => {
  test("the thread of a job that ended in order runs the next one, which hears it alone", async () => {
    const before = run("a");
    threads[0]?.say(END);
    await before.ended;
    const { job, ended } = run("b");
    before.lose("stg0", { code: "volume", message: "Cannot keep host id 1" });
    before.cancel();
    const [near] = memoryPair(at(1), at(2));
    before.relay(near, { role: "control", setup: null });
    expect(threads.map(({ sent }) => sent.join(" "))).toEqual(["task task"]);
    threads[0]?.say(END);
    await ended;
    expect([before.job.view().state, job.view().state]).toEqual(["ok", "ok"]);
    expect([clock.sleeping, threads[0]?.ended]).toEqual([[SPARE_THREAD_MS], 0]);
  });

  test("a kept thread is given the network as it is when its next job begins", async () => {
    const thread = await runUntil(END);
    network = { ...network, peers: ["web02"] };
    run("b");
    expect(thread.networks.map(({ peers }) => peers)).toEqual([[], ["web02"]]);
    expect(threads.length).toBe(1);
  });

  test("a thread is not kept after a failure, or when something is left open", async () => {
    const error = { code: "failed", message: "Cannot read" } as const;
    expect((await runUntil({ ...END, result: { error } })).ended).toBe(1);
    expect((await runUntil({ ...END, closed: false })).ended).toBe(1);
    const { ended } = run("holds");
    for (const thread of threads) thread.holds = true;
    threads.at(-1)?.say(END);
    await ended;
    expect(threads.map((thread) => thread.ended)).toEqual([1, 1, 1]);
  });

  test("a thread is not kept after a cancellation, however the job ended", async () => {
    const cancelled = run("a");
    cancelled.cancel();
    threads[0]?.say(END);
    await cancelled.ended;
    expect([cancelled.job.view().state, threads[0]?.ended]).toEqual(["ok", 1]);
  });

  test("one thread is kept, the second of two that run at once ends", async () => {
    const both = [run("a"), run("b")];
    for (const thread of threads) thread.say(END);
    await Promise.all(both.map(({ ended }) => ended));
    expect(threads.map((thread) => thread.ended)).toEqual([0, 1]);
  });

  test("a kept thread ends after its time, and then a new one runs the next job", async () => {
    const thread = await runUntil(END);
    await clock.ring(SPARE_THREAD_MS);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect(thread.ended).toBe(1);
    run("b");
    expect(threads.length).toBe(2);
  });

  test("a kept thread that fails or speaks is ended, and its assertion is told", async () => {
    const failing = await runUntil(END);
    failing.crash(new Error("out of memory"));
    const speaking = await runUntil(END);
    speaking.say(END);
    expect([failing.ended, speaking.ended, threads.length]).toEqual([1, 1, 2]);
    (await runUntil(END)).say({ type: "assertion", message: "two ends" });
    expect(assertions).toEqual(["two ends"]);
  });

  test("close() ends the kept thread, and none is kept after it", async () => {
    const kept = await runUntil(END);
    const running = run("b");
    const other = run("c");
    threads[0]?.say(END);
    await running.ended;
    await spare.close();
    expect([kept.ended, clock.sleeping]).toEqual([1, []]);
    threads[1]?.say(END);
    await other.ended;
    expect(threads[1]?.ended).toBe(1);
  });
});
