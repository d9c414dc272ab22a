// Runs a command of the program in the process of the tests: for what a test stands on, while what
// it is about runs as a process. Starting one takes most of a second of a core.

import pc from "picocolors";
import { runCli } from "../../agent/cli/mod.ts";
import { offlineOperations } from "../../agent/compose_offline.ts";
import { currentRuntime } from "../../transport/runtime/current_runtime.ts";
import { within } from "./deadline.ts";
import type { ProgramOptions, ProgramResult } from "./program.ts";

const ENTRY = import.meta.resolve("../../main.ts");

/** @throws Error when the command takes too long, or something that is no error of operation */
export async function callProgram(
  args: readonly string[],
  { cwd, timeoutMs }: Required<Pick<ProgramOptions, "cwd" | "timeoutMs">>,
): Promise<ProgramResult> {
  const host = await currentRuntime();
  const runtime = { ...host, process: { ...host.process, cwd: () => cwd } };
  const printed = { 1: "", 2: "" };
  const command = runCli(args, {
    runtime,
    out: {
      write: (stream, text) => void (printed[stream] += text),
      isTerminal: () => false,
      columns: () => 80,
      paint: () => pc.createColors(false),
    },
    version: "",
    offline: () => Promise.resolve(offlineOperations(runtime, ENTRY)),
    runDaemon: () => Promise.reject(new Error("A daemon is a process of its own")),
  });
  const code = await within(timeoutMs, `agent ${args.join(" ")}`, command);
  return { code, signal: null, stdout: printed[1], stderr: printed[2] };
}
