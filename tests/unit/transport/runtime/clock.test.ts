// The clock, randomness and threads of the runtime at hand.

import { describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { clock, random, startThread } = await currentRuntime();

describe("Clock", () => {
  test("sleep() lasts at least as long as asked", async () => {
    const start = clock.monotonicMs();
    await clock.sleep(20);
    expect(clock.monotonicMs() - start).toBeGreaterThanOrEqual(19);
  });

  test("sleep() throws the signal's reason when it fires, before or during", async () => {
    const reason = new AgentError("timeout", "Cannot wait");
    const stop = new AbortController();
    const waiting = clock.sleep(60_000, { signal: stop.signal }).catch((e: unknown) => e);
    stop.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await clock.sleep(1, { signal: stop.signal }).catch((e: unknown) => e)).toBe(reason);
  });

  test("yield() lets what is ready run", async () => {
    let ran = false;
    setTimeout(() => ran = true, 0);
    for (let turn = 0; turn < 10_000 && !ran; turn++) await clock.yield();
    expect(ran).toBe(true);
  });
});

describe("Random", () => {
  test("bytes() fills any count", () => {
    const bytes = random.bytes(200_000);
    expect(bytes.length).toBe(200_000);
    expect(new Set(bytes.subarray(150_000)).size).toBeGreaterThan(250);
  });
});

describe("Thread", () => {
  test("carries messages both ways, and reports an uncaught error", async () => {
    const thread = startThread(new URL("./echo_thread.ts", import.meta.url));
    try {
      const failed = new Promise<Error>((resolve) => thread.onError(resolve));
      const answer = new Promise((resolve) => thread.onMessage(resolve));
      const buffer = new ArrayBuffer(8);
      thread.post({ echo: buffer }, [buffer]);
      expect(await answer).toEqual({ echo: new ArrayBuffer(8) });
      expect(buffer.byteLength).toBe(0);
      thread.post("fail");
      expect((await failed).message).toContain("the thread was told to fail");
    } finally {
      thread.terminate();
    }
  });
});
