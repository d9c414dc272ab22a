// Starts the program in a way that its exit code can be trusted whatever fails: handlers stand
// before the program's own modules are loaded, since a module that is missing ends a runtime with
// code 1, which PostgreSQL takes for "that file is not in the archive" when it runs `wal get`.

import { AssertionFailure, currentRuntime, type Process } from "../transport/mod.ts";
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
    const { runProgram } = await import("./program.ts");
    process.exit(await runProgram(runtime, entryUrl));
  } catch (error) {
    internalError(process, error);
  }
}

function internalError(process: Process, error: unknown): never {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  const what = error instanceof AssertionFailure ? "a broken invariant" : "an unexpected error";
  process.write(2, `agent: internal error, ${what}: ${text}\n`);
  process.exit(exitCodeOf(process.args, "internal"));
}
