// Starts the program in a way that its exit code can be trusted whatever fails: handlers stand
// before the program's own modules are loaded, since a module that is missing ends a runtime with
// code 1, which PostgreSQL takes for "that file is not in the archive" when it runs `wal get`.

import { AssertionFailure, currentRuntime, type Process, type Runtime } from "../transport/mod.ts";
import { exitCodeOf } from "./exit_code.ts";

/**
 * Runs the program and ends the process with the exit code of the contract.
 * @param entryUrl URL of the entry module: workers are found beside it, compiled or not
 */
export async function startProgram(entryUrl: string): Promise<void> {
  const runtime = await currentRuntime();
  const { process } = runtime;
  process.onUncaught((error) => internalError(process, error));
  try {
    process.exit(await runLog(runtime) ?? await runAll(runtime, entryUrl));
  } catch (error) {
    internalError(process, error);
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

function internalError(process: Process, error: unknown): never {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  const what = error instanceof AssertionFailure ? "a broken invariant" : "an unexpected error";
  process.write(2, `agent: internal error, ${what}: ${text}\n`);
  process.exit(exitCodeOf(process.args, "internal"));
}
