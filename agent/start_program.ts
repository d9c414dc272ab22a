// Starts the program in a way that its exit code can be trusted whatever fails: a module that is
// missing or throws ends a runtime with code 1, which PostgreSQL takes for "that file is not in the
// archive" when it runs `wal get`. So the handlers stand before any other module is loaded.
//
// Invariant: what is imported here at once, and by the entry, is what it takes to know the exit
// code and to end with it. Everything else is loaded within the guard.

import { bareArguments, endWithError } from "../transport/runtime/bare_process.ts";
import type { Runtime } from "../transport/runtime/runtime.ts";
import { onUncaught } from "../transport/runtime/uncaught.ts";
import { exitCodeOf } from "./exit_code.ts";

/**
 * Runs the program and ends the process with the exit code of the contract.
 * @param entryUrl URL of the entry module: workers are found beside it, compiled or not
 */
export async function startProgram(entryUrl: string): Promise<void> {
  onUncaught(internalError);
  try {
    const { currentRuntime } = await import("../transport/runtime/current_runtime.ts");
    const runtime = await currentRuntime();
    runtime.process.exit(await runLog(runtime) ?? await runAll(runtime, entryUrl));
  } catch (error) {
    internalError(error);
  }
}

/** @returns null when this is no command that PostgreSQL runs */
async function runLog(runtime: Runtime): Promise<number | null> {
  if (runtime.process.args[0] !== "wal") return null;
  const { runLogProgram } = await import("./log_program.ts");
  return await runLogProgram(runtime);
}

async function runAll(runtime: Runtime, entryUrl: string): Promise<number> {
  const { runProgram } = await import("./program.ts");
  return await runProgram(runtime, entryUrl);
}

function internalError(error: unknown): never {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  const isAssertion = error instanceof Error && error.name === "AssertionFailure";
  const what = isAssertion ? "a broken invariant" : "an unexpected error";
  endWithError(
    `agent: internal error, ${what}: ${text}\n`,
    exitCodeOf(bareArguments(), "internal"),
  );
}
