// The queue of raw volumes on a kernel that answers late, short, with errors, or never.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentError } from "../../../../transport/ground/error.ts";
import {
  BOUNCE_BUFFERS_MAX,
  IO_TIMEOUT_MS,
  REQUESTS_MAX,
  TURN_MS_MAX,
} from "../../../../transport/raw/limits.ts";
import { RawQueue } from "../../../../transport/raw/raw_queue.ts";
import type { RawRequest } from "../../../../transport/raw/request_error.ts";
import { FakeDirectIo, JumpClock } from "./fake_direct_io.ts";

const EIO = 5;
const ENOSPC = 28;

function bed() {
  const io = new FakeDirectIo();
  const clock = new JumpClock();
  const queue = new RawQueue({ directIo: io, clock });
  const ask = (offsetBytes: number, changes: Partial<RawRequest> = {}): Promise<void> =>
    queue.submit({
      operation: "read",
      descriptor: 7,
      offsetBytes,
      bytes: io.allocate(4096),
      direct: true,
      name: "/dev/lun",
      ...changes,
    });
  return { io, clock, queue, ask };
}

async function failure(wait: Promise<void>): Promise<AgentError> {
  const error: unknown = await wait.then(() => null, (thrown) => thrown);
  if (error instanceof AgentError) return error;
  throw new Error(`found ${error}, need an AgentError`);
}

describe("RawQueue", () => {
  test("submit() has requests in flight at once, and answers them in any order", async () => {
    const { io, ask } = bed();
    io.answer = null;
    const done: number[] = [];
    const all = [0, 1, 2].map((n) => ask(n * 4096).then(() => done.push(n)));
    expect(io.inFlight.size).toBe(3);
    for (const n of [2, 0, 1]) {
      io.finish(n * 4096);
      await all[n];
    }
    expect(done).toEqual([2, 0, 1]);
  });

  test("submit() keeps what is beyond the places waiting, in order", async () => {
    const { io, ask } = bed();
    const count = REQUESTS_MAX + 20;
    const done: number[] = [];
    await Promise.all(
      Array.from({ length: count }, (_, n) => ask(n * 4096).then(() => done.push(n))),
    );
    expect(io.most).toBe(REQUESTS_MAX);
    expect(done).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  test("submit() rejects what was moved in part", async () => {
    const { io, ask } = bed();
    io.answer = () => 512;
    const error = await failure(ask(8192));
    expect(error.code).toBe("volume");
    expect(error.message).toBe(
      'Cannot read volume "/dev/lun" at byte 8192: only 512 bytes were moved, need all 4096 bytes',
    );
  });

  test("submit() rejects with the errno's name", async () => {
    const { io, ask } = bed();
    io.answer = () => -EIO;
    const error = await failure(ask(4096, { operation: "write" }));
    expect([error.code, error.message]).toEqual([
      "volume",
      'Cannot write volume "/dev/lun" at byte 4096: EIO, need all 4096 bytes',
    ]);
    io.answer = () => -ENOSPC;
    expect((await failure(ask(0, { operation: "write" }))).code).toBe("no_space");
  });

  test("submit() rejects what the kernel does not take, and goes on", async () => {
    const { io, ask } = bed();
    io.submitFailure = "EBADF";
    expect((await failure(ask(0))).message).toContain("EBADF");
    io.submitFailure = null;
    await ask(0);
  });

  test("submit() copies through a bounce buffer what is not direct", async () => {
    const { io, ask } = bed();
    const bytes = new Uint8Array(512).fill(7);
    let seen = new Uint8Array(0);
    io.answer = (request) => {
      seen = new Uint8Array(request.bytes);
      expect(request.bytes).not.toBe(bytes);
      if (request.operation === "read") request.bytes.fill(9);
      return request.bytes.length;
    };
    await ask(0, { operation: "write", bytes, direct: false });
    expect(seen).toEqual(bytes);
    await ask(0, { bytes, direct: false });
    expect(bytes).toEqual(new Uint8Array(512).fill(9));
  });

  test("submit() uses a bounded count of bounce buffers", async () => {
    const { io, ask } = bed();
    const bytes = new Uint8Array(512);
    const count = 3 * BOUNCE_BUFFERS_MAX;
    await Promise.all(
      Array.from({ length: count }, (_, n) => ask(n * 512, { bytes, direct: false })),
    );
    expect(io.most).toBe(BOUNCE_BUFFERS_MAX);
    expect(io.taken).toBe(count);
  });

  test("nothing is polled while nothing is in flight", async () => {
    const { io, clock, ask } = bed();
    await ask(0);
    const [reaps, sleeps] = [io.reaps, clock.sleeps];
    for (let turn = 0; turn < 20; turn++) await clock.yield();
    expect([io.reaps, clock.sleeps]).toEqual([reaps, sleeps]);
  });

  test("the thread sleeps while a medium takes its time", async () => {
    const { io, clock, ask } = bed();
    io.answer = null;
    const slow = ask(0);
    while (clock.nowMs < 1000) await clock.yield();
    io.finish(0);
    await slow;
    // 1, 2, 4, 8, and then every 16 ms.
    expect(clock.sleeps).toBeLessThan(80);
  });

  test("submit() ends the sleep between looks", async () => {
    const { io, clock, ask } = bed();
    io.answer = ({ offsetBytes, bytes }) => offsetBytes === 0 ? null : bytes.length;
    const asleep = Promise.withResolvers<void>();
    clock.sleep = (_ms, options) =>
      new Promise((_, reject) => {
        options?.signal?.addEventListener("abort", () => reject(new Error("woken")));
        asleep.resolve();
      });
    const slow = ask(0);
    await asleep.promise;
    await ask(4096);
    io.finish(0);
    await Promise.all([slow, ask(4096)]);
  });

  test("the event loop gets its turns while answers keep coming", async () => {
    const { clock, ask } = bed();
    let turns = 0;
    let running = true;
    const watch = async () => {
      for (; running; turns++) await clock.yield();
    };
    const watched = watch();
    const endMs = clock.nowMs + 10 * TURN_MS_MAX;
    const work = async (n: number) => {
      while (clock.nowMs < endMs) await ask(n * 4096);
    };
    await Promise.all([work(0), work(1), work(2)]);
    running = false;
    await watched;
    expect(turns).toBeGreaterThanOrEqual(9);
  });

  test("close() lets requests in flight end, then gives the kernel's queue back", async () => {
    const { io, clock, queue, ask } = bed();
    io.answer = null;
    const late = ask(0);
    let isEnded = false;
    const ended = queue.close().then(() => isEnded = true);
    void queue.close();
    await clock.yield();
    expect([io.closed, isEnded]).toEqual([0, false]);
    io.finish(0);
    await late;
    await ended;
    expect(io.closed).toBe(1);
  });
});

describe("RawQueue on a medium that does not answer", () => {
  test("submit() rejects with `timeout`, also while other requests are answered", async () => {
    const { io, clock, ask } = bed();
    io.answer = (request) => request.offsetBytes === 0 ? null : request.bytes.length;
    let isSettled = false;
    const stuck = failure(ask(0)).finally(() => isSettled = true);
    const work = async (offsetBytes: number) => {
      while (clock.nowMs < IO_TIMEOUT_MS + 500) {
        clock.nowMs += 5;
        await ask(offsetBytes);
      }
    };
    const unanswered = clock.sleeps;
    await Promise.all([work(4096), work(8192)]);
    expect(clock.sleeps).toBe(unanswered);
    expect(isSettled).toBe(true);
    const error = await stuck;
    expect(error.code).toBe("timeout");
    expect(error.message).toContain("no answer within 30000 ms; it may still land");
  });

  test("memory of a request that was given up stays the kernel's", async () => {
    const { io, clock, ask } = bed();
    const bytes = io.allocate(8192);
    io.answer = null;
    const stuck = await failure(ask(0, { bytes: bytes.subarray(0, 4096) }));
    expect(stuck.code).toBe("timeout");
    io.answer = (request) => request.bytes.length;
    expect((await failure(ask(4096, { bytes: bytes.subarray(0, 512) }))).code).toBe("timeout");
    await ask(4096, { bytes: bytes.subarray(4096) });
    io.finish(0);
    await ask(4096, { bytes: bytes.subarray(4096) }); // Looks, and so learns of the late answer.
    await ask(4096, { bytes: bytes.subarray(0, 512) });
    expect(clock.nowMs).toBeGreaterThan(IO_TIMEOUT_MS);
  });

  test("a late read does not touch the caller's bytes, nor its bounce buffer another's", async () => {
    const { io, ask } = bed();
    io.answer = null;
    const bytes = new Uint8Array(512).fill(1);
    expect((await failure(ask(0, { bytes, direct: false }))).code).toBe("timeout");
    const [stuck] = io.inFlight.values();
    io.answer = (request) => {
      if (request.bytes.buffer === stuck?.bytes.buffer) throw new Error("memory is in use");
      return request.bytes.length;
    };
    await Promise.all([1, 2, 3].map((n) => ask(n * 512, { bytes: bytes.slice(), direct: false })));
    stuck?.bytes.fill(2);
    io.finish(0);
    await ask(512, { bytes: bytes.slice(), direct: false });
    expect(bytes).toEqual(new Uint8Array(512).fill(1));
  });

  test("requests that wait for a place time out too", async () => {
    const { io, ask } = bed();
    io.answer = null;
    const all = Array.from({ length: REQUESTS_MAX + 3 }, (_, n) => failure(ask(n * 4096)));
    const codes = (await Promise.all(all)).map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(["timeout"]));
    expect(io.taken).toBe(REQUESTS_MAX);
  });

  test("close() gives the kernel's queue back when what was given up has landed", async () => {
    const { io, clock, queue, ask } = bed();
    io.answer = null;
    await failure(ask(0));
    await queue.close();
    const [reaps, sleeps] = [io.reaps, clock.sleeps];
    while (clock.sleeps < sleeps + 20) await clock.yield();
    expect([io.closed, io.reaps - reaps < 25]).toEqual([0, true]);
    io.finish(0);
    while (io.closed === 0) await clock.yield();
    expect(io.inFlight.size).toBe(0);
  });

  test("any mix of answers settles every request once", async () => {
    const outcome = fc.constantFrom("whole", "short", "error", "never");
    await fc.assert(
      fc.asyncProperty(fc.array(outcome, { maxLength: 100 }), async (outcomes) => {
        const { io, clock, queue, ask } = bed();
        io.answer = ({ offsetBytes, bytes }) => {
          const what = outcomes[offsetBytes / 4096];
          if (what === "never") return null;
          return what === "whole" ? bytes.length : what === "short" ? 512 : -EIO;
        };
        const all = outcomes.map((_, n) => ask(n * 4096, { direct: n % 3 !== 0 }));
        const settled = await Promise.allSettled(all);
        const found = settled.map((one) => {
          if (one.status === "fulfilled") return "whole";
          if (one.reason.code === "timeout") return "never";
          return one.reason.message.includes("EIO") ? "error" : "short";
        });
        const stuck = outcomes.filter((what) => what === "never").length;
        // Behind stuck requests, others may wait in vain.
        outcomes.forEach((what, n) => expect([what, "never"]).toContain(found[n] ?? ""));
        if (stuck < BOUNCE_BUFFERS_MAX) expect(found).toEqual(outcomes);
        await queue.close();
        expect(io.closed).toBe(stuck === 0 ? 1 : 0);
        for (const { offsetBytes } of [...io.inFlight.values()]) io.finish(offsetBytes);
        while (io.closed === 0) await clock.yield();
      }),
      { numRuns: 50 },
    );
  });
});

describe("RawQueue without a kernel queue", () => {
  for (const [errno, code] of [["EAGAIN", "no_space"], ["ENOSYS", "unsupported"]] as const) {
    test(`constructor throws \`${code}\` with a hint when io_setup fails with ${errno}`, () => {
      const io = new FakeDirectIo();
      io.openFailure = errno;
      let thrown: unknown = null;
      try {
        new RawQueue({ directIo: io, clock: new JumpClock() });
      } catch (error) {
        thrown = error;
      }
      if (!(thrown instanceof AgentError)) throw new Error(`found ${thrown}, need an AgentError`);
      expect(thrown.code).toBe(code);
      expect(thrown.hint).not.toBe(undefined);
    });
  }
});
