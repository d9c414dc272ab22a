// What a thread that is ended in the middle of its work leaves behind.

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AT_CWD, currentRuntime } from "../../../../transport/runtime/mod.ts";

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
