// Processes that the program starts: their lines, their end, and the word to stop.

import { describe, expect, test } from "bun:test";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { process } = await currentRuntime();

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
