// Processes of this machine by /proc: ours is there, one that ended is gone, and one that we
// cannot judge is not gone.

import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { kill } from "node:process";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { ProcProcessTable } from "../../../../transport/runtime/process_table.ts";
import { type Files, SystemError } from "../../../../transport/runtime/files.ts";

const { files, process } = await currentRuntime();

function self() {
  const { self } = new ProcProcessTable(files, process.pid);
  if (self === null) throw new Error("/proc tells who we are");
  return self;
}

describe("ProcProcessTable", () => {
  test("knows this process, the same each time", () => {
    expect(self().pid).toBe(process.pid);
    expect(self().machine).toMatch(/^[0-9a-f]{32}$/);
    expect(self().startTicks).toBeGreaterThan(0);
    expect(self()).toEqual(self());
  });

  test("isGone() tells a process that runs, or is stopped, from one that ended", async () => {
    const table = new ProcProcessTable(files, process.pid);
    const child = spawn("sleep", ["600"]);
    try {
      await once(child, "spawn");
      const pid = child.pid ?? 0;
      const stat = new TextDecoder().decode(readProc(`/proc/${pid}/stat`));
      const startTicks = Number(stat.slice(stat.lastIndexOf(") ") + 2).split(" ")[19]);
      const identity = { ...self(), pid, startTicks };
      expect(table.isGone(identity)).toBe(false);
      kill(pid, "SIGSTOP");
      expect(table.isGone(identity)).toBe(false);
      expect(table.isGone({ ...identity, startTicks: startTicks - 1 })).toBe(true);
      expect(table.isGone({ ...identity, machine: "0".repeat(32), pid: 2 ** 22 })).toBe(false);
      const ended = once(child, "exit");
      kill(pid, "SIGKILL");
      await ended;
      expect(table.isGone(identity)).toBe(true);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("isGone() says no where /proc hides the processes of others", () => {
    const open: Files["open"] = (directory, path, flags) => {
      if (path === "/proc/1/stat") throw new SystemError("ENOENT", "open", path);
      return files.open(directory, path, flags);
    };
    const table = new ProcProcessTable(filesWith(open), process.pid);
    expect(table.isGone({ ...self(), pid: 2 ** 22 })).toBe(false);
    expect(new ProcProcessTable(files, process.pid).isGone({ ...self(), pid: 2 ** 22 })).toBe(true);
  });

  test("does not know itself in a /proc of another namespace", () => {
    expect(new ProcProcessTable(files, process.pid + 1).self).toBe(null);
  });
});

function readProc(path: string): Uint8Array {
  const descriptor = files.open(-100, path, { access: "read" });
  const bytes = new Uint8Array(4096);
  const count = files.read(descriptor, bytes);
  files.close(descriptor);
  return bytes.subarray(0, count);
}

/** Our files with another `open`. */
function filesWith(open: Files["open"]): Files {
  return new Proxy(files, {
    get: (target, name: keyof Files) => {
      if (name === "open") return open;
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
