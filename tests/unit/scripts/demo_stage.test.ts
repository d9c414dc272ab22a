// The demo's stage must leave nothing behind: no folder, no process, not even a stubborn one.

import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../../scripts/demonstration/free_ports.ts";
import { runTool } from "../../../scripts/demonstration/run_tool.ts";
import { Stage } from "../../../scripts/demonstration/stage.ts";
import { waitReady } from "../../../scripts/demonstration/wait_ready.ts";

/** Milliseconds until the kernel ended what it must. */
const GONE_MS = 10_000;

/** The command of a process that has a stage; the path of a pipe follows. */
const HOLDER = [
  process.execPath,
  ...(process.versions["bun"] === undefined ? ["run", "-A", "--no-check"] : []),
  fileURLToPath(import.meta.resolve("./stage_holder.ts")),
] as const;

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A stand-in for the program that writes its arguments down. */
function fakeAgent(): { readonly command: string; readonly calls: string } {
  const folder = mkdtempSync(join(tmpdir(), "demo-stage-"));
  folders.push(folder);
  const command = join(folder, "agent");
  const calls = join(folder, "calls");
  writeFileSync(command, `#!/bin/sh\necho "$@" >>'${calls}'\n`);
  chmodSync(command, 0o755);
  return { command, calls };
}

async function isRunning(marker: string): Promise<boolean> {
  const { stdout } = await runTool(["ps", "-eo", "args"]);
  return new TextDecoder().decode(stdout).split("\n").some((line) =>
    line.endsWith(`sleep ${marker}`)
  );
}

describe("Stage", () => {
  test("clear() ends processes, gives the array back and removes the folder", async () => {
    const { command, calls } = fakeAgent();
    const stage = new Stage([command], { keep: false });
    const marker = `9${process.pid}1`;
    stage.start("daemon", ["sleep", marker]);
    stage.registerArray(stage.path("array"));
    stage.assertRunning("daemon");
    expect(await isRunning(marker)).toBe(true);
    await stage.clear();
    expect(await isRunning(marker)).toBe(false);
    expect(existsSync(stage.folder)).toBe(false);
    expect(readFileSync(calls, "utf8")).toBe(`array remove ${stage.path("array")}\n`);
  });
  test("clear() keeps the folder when asked to", async () => {
    const stage = new Stage([fakeAgent().command], { keep: true });
    folders.push(stage.folder);
    await stage.clear();
    expect(existsSync(stage.folder)).toBe(true);
  });
  test("assertRunning() and logOf() tell of a process that ended", async () => {
    const stage = new Stage([fakeAgent().command], { keep: false });
    stage.start("daemon", ["sh", "-c", "echo reason; exit 7"]);
    const waiting = waitReady(stage.path("none.sock"), () => stage.assertRunning("daemon"));
    const error = await waiting.then(() => null, (thrown: Error) => thrown.message);
    expect(error).toBe("daemon ended with 7");
    expect(stage.logOf("daemon")).toBe("daemon.log:\nreason\n");
    await stage.clear();
  });
  test("what it started ends with its process, also when that is killed", async () => {
    const pipe = join(mkdtempSync(join(tmpdir(), "demo-stage-")), "pipe");
    folders.push(dirname(pipe));
    execFileSync("mkfifo", [pipe]);
    const holder = spawn(HOLDER[0], [...HOLDER.slice(1), pipe], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [told] = await once(holder.stdout.setEncoding("utf8"), "data");
    const [pid = "", folder = ""] = String(told).trim().split(" ");
    folders.push(folder);
    const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
    await once(reader.stdout, "data");
    const gone = once(reader, "exit");
    let wasLate = false;
    const late = setTimeout(() => {
      wasLate = true;
      process.kill(Number(pid), "SIGKILL");
    }, GONE_MS);
    holder.kill("SIGKILL");
    await gone;
    clearTimeout(late);
    expect(wasLate).toBe(false);
  }, 30_000);
});

describe("freePorts()", () => {
  test("gives no port twice, whoever looks beside it", async () => {
    const path = import.meta.resolve("../../../scripts/demonstration/free_ports.ts");
    // A second one that begins at the same port, as in another thread of this process.
    const beside: { freePorts: typeof freePorts } = await import(`${path}?beside`);
    const ports: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      ports.push(...await Promise.all([freePorts(1), beside.freePorts(1)]));
    }
    expect(new Set(ports).size).toBe(ports.length);
  });
  test("gives the first of several free ports in a row", async () => {
    const port = await freePorts(4);
    expect(port).toBeGreaterThan(1023);
    expect(port + 3).toBeLessThan(65536);
  });
});
