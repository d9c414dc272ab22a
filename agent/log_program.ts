// The program as PostgreSQL runs it for each file of its log: the commands for that, and no more.

import type { Runtime } from "../transport/runtime/runtime.ts";
import { runLogCommand } from "./cli/run_log_command.ts";
import { outputOf } from "./program_output.ts";

/** @returns the exit code of the contract; null when the whole program is asked for */
export async function runLogProgram(runtime: Runtime): Promise<number | null> {
  return await runLogCommand(runtime.process.args, { runtime, out: outputOf(runtime) });
}
