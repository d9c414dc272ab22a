// Runs a command line and says how long it took, what processor time all of its processes used,
// and the peak memory of the largest of them, by GNU time.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../demonstration/run_tool.ts";

export interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMib: number;
}

export interface Measured extends Cost {
  readonly stdout: string;
}

/** @param folder where the notes of GNU time are kept meanwhile */
export async function measureCommand(
  folder: string,
  command: readonly string[],
  cwd?: string,
): Promise<Measured> {
  const notes = join(folder, "time.txt");
  const timed = ["time", "-o", notes, "-f", "%e %U %S %M", ...command];
  const since = performance.now();
  const { code, stdout, stderr } = await runTool(timed, { cwd });
  const seconds = (performance.now() - since) / 1000;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${stderr.trim()}`);
  const last = readFileSync(notes, "latin1").trim().split("\n").at(-1) ?? "";
  const [, user = NaN, system = NaN, kib = NaN] = last.split(" ").map(Number);
  rmSync(notes);
  const text = new TextDecoder().decode(stdout);
  return { seconds, cpuSeconds: user + system, peakMib: kib / 1024, stdout: text };
}
