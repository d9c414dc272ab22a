// Processes that the program starts: their lines, their end, and the word to stop.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { clock, process } = await currentRuntime();

/** False for one that ended, and that nobody has asked for its end yet. */
function isRunning(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  const state = existsSync(stat) ? readFileSync(stat, "utf8").replace(/^.*\) /, "")[0] : "X";
  return state !== "Z" && state !== "X";
}

function start(script: string) {
  const lines: string[] = [];
  const child = process.start(["sh", "-c", script], { onLine: (line) => lines.push(line) });
  return { child, lines };
}

describe("Process.start", () => {
  test("gives lines before the end, and the exit code", async () => {
    const { child, lines } = start("echo one; printf two; exit 3");
    expect(await child.ended).toBe(3);
    expect(lines).toEqual(["one", "two"]);
  });

  test("ends with 127 when there is no such program", async () => {
    const child = process.start(["/nowhere/at/all"], { onLine: () => {} });
    expect(await child.ended).toBe(127);
    child.endInput();
    child.kill("SIGTERM");
  });

  test("ends with 128 and the number of the signal", async () => {
    const { child } = start("exec sleep 60"); // Else the shell's child keeps the output open.
    child.kill("SIGTERM");
    expect(await child.ended).toBe(143);
  });

  test("kill() reaches the group of a child that has ended, as long as others are in it", async () => {
    const script = `sh -c 'trap "" TERM; echo $$; exec sleep 1000' & exit 3`;
    const lines: string[] = [];
    const child = process.start(["sh", "-c", script], {
      isGroup: true,
      onLine: (line) => lines.push(line),
    });
    expect(await child.ended).toBe(3);
    child.kill("SIGTERM");
    const pid = Number(lines[0]);
    expect(isRunning(pid)).toBe(true);
    child.kill("SIGKILL");
    while (isRunning(pid)) await clock.sleep(1);
    child.kill("SIGKILL"); // Nobody is left.
  });

  test("endInput() ends a child that waits for its input", async () => {
    const { child, lines } = start("cat >/dev/null; echo stopped");
    child.endInput();
    expect(await child.ended).toBe(0);
    expect(lines).toEqual(["stopped"]);
  });
});

describe("Process.cpuSeconds", () => {
  test("grows with work", () => {
    const before = process.cpuSeconds();
    let sum = 0;
    while (process.cpuSeconds() - before < 0.02) {
      for (let turn = 0; turn < 1e5; turn += 1) sum += turn;
    }
    expect(sum).toBeGreaterThan(0);
  });
});

describe("Process.command", () => {
  test("starts a module of this program under the same runtime", async () => {
    const entry = new URL("child_entry.ts", import.meta.url).href;
    const lines: string[] = [];
    const child = process.start([...process.command(entry), "a", "b c"], {
      onLine: (line) => lines.push(line),
    });
    child.endInput();
    expect(await child.ended).toBe(0);
    expect(lines).toEqual([JSON.stringify(["a", "b c"]), "input ended"]);
  });
});
