// Runs one or two processes of the array's benchmark and returns their figures; two start to
// measure at the same time.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { ArrayFigures, ArrayTask } from "./array_task.ts";
import { RUN_OVERHEAD_MS } from "./limits.ts";

/** @throws Error when a process fails or takes too long */
export async function runArrayPeers(
  runtime: readonly string[],
  tasks: readonly ArrayTask[],
): Promise<readonly ArrayFigures[]> {
  const script = new URL("./array_peer.ts", import.meta.url).pathname;
  const [program = "", ...before] = runtime;
  const children = tasks.map((task) =>
    spawn(program, [...before, script, JSON.stringify(task)], {
      stdio: ["pipe", "pipe", "inherit"],
    })
  );
  const timer = setTimeout(
    () => children.forEach((child) => child.kill("SIGKILL")),
    limitOf(tasks),
  );
  try {
    const lines = children.map(linesOf);
    await Promise.all(lines.map((next) => next()));
    for (const child of children) child.stdin?.write("\n");
    return await Promise.all(lines.map(async (next) => (await next()).figures ?? {}));
  } finally {
    clearTimeout(timer);
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  }
}

function limitOf(tasks: readonly ArrayTask[]): number {
  const seconds = tasks.map((task) => task.measure === "stream" ? task.seconds : 0);
  return Math.max(...seconds) * 1000 + RUN_OVERHEAD_MS;
}

/** @returns a function that waits for the next line of the process */
function linesOf(child: ChildProcess): () => Promise<{ readonly figures?: ArrayFigures }> {
  if (child.stdout === null) throw new Error("the process has an output");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error("a process of the benchmark ended early");
    return JSON.parse(value);
  };
}
