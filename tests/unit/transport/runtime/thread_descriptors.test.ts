// What a thread that is ended in the middle of its work leaves behind.

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SystemError } from "../../../../transport/runtime/files.ts";
import {
  THREAD_DESCRIPTORS_MAX,
  THREAD_END_WAIT_MS,
  THREAD_LATE_POLL_MS,
} from "../../../../transport/runtime/limits.ts";
import { AT_CWD, currentRuntime } from "../../../../transport/runtime/mod.ts";
import { closeLeftOpen } from "../../../../transport/runtime/thread_descriptors.ts";

const { files, startThread } = await currentRuntime();

function descriptorsOf(path: string): string[] {
  return readdirSync("/proc/self/fd").filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false; // The descriptor of the listing itself is gone by now.
    }
  });
}

describe("Thread.terminate()", () => {
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "thread-test-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test("closes what the thread had open, and so frees its locks", async () => {
    const path = join(folder, "locked");
    const thread = startThread(new URL("./locking_thread.ts", import.meta.url));
    const locked = new Promise((resolve) => thread.onMessage(resolve));
    thread.post(path);
    await locked;
    const own = files.open(AT_CWD, path, { access: "read-write" });
    try {
      expect(files.lock(own, "exclusive", { wait: false })).toBe(false);
      await thread.terminate();
      expect(files.lock(own, "exclusive", { wait: false })).toBe(true);
      expect(descriptorsOf(path)).toEqual([String(own)]);
      await thread.terminate();
    } finally {
      files.close(own);
    }
  });
});

describe("closeLeftOpen()", () => {
  /** A thread that is gone at a moment of a clock whose sleeps end at once. */
  function endingAt(goneMs: number) {
    let nowMs = 0;
    const closed: number[] = [];
    const stat = () => {
      if (nowMs >= goneMs) throw new SystemError("ENOENT", "stat", "/proc/self/task/7");
      return files.stat(AT_CWD, "/");
    };
    const sleep = async (ms: number) => {
      await Promise.resolve();
      nowMs += ms;
    };
    const places = new SharedArrayBuffer(THREAD_DESCRIPTORS_MAX * 4);
    new Int32Array(places)[3] = 42 + 1;
    return {
      left: { threadId: 7, places },
      parts: {
        files: { stat, close: (descriptor: number) => void closed.push(descriptor) },
        clock: { monotonicMs: () => nowMs, sleep },
      },
      closed,
      nowMs: () => nowMs,
    };
  }

  test("closes nothing before the thread is gone, and all when it is", async () => {
    const { left, parts, closed, nowMs } = endingAt(20);
    await closeLeftOpen(left, parts);
    expect([closed, nowMs()]).toEqual([[42], 20]);
  });

  test("waits no longer than its limit, and closes later", async () => {
    const { left, parts, closed, nowMs } = endingAt(60_000);
    await closeLeftOpen(left, parts);
    expect([closed, nowMs() <= THREAD_END_WAIT_MS + THREAD_LATE_POLL_MS]).toEqual([[], true]);
    for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
    expect(closed).toEqual([42]);
    expect(nowMs()).toBeLessThan(60_000 + 2 * THREAD_LATE_POLL_MS);
  });
});
