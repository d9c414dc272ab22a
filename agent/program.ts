// The program: composes the command line with everything it may call and runs it.
//
// Most commands only ask a daemon. What the others need, daemons themselves among them, is loaded
// when they are run: that was half of what a command costs.

import { AssertionFailure } from "../transport/ground/assert.ts";
import { currentRuntime, type Process } from "../transport/runtime/mod.ts";
import { createOutput, runCli } from "./cli/mod.ts";
import { VERSION } from "./daemon_parts.ts";
import { EXIT_INTERNAL } from "./exit_code.ts";
import { operatingError } from "./operating_error.ts";

/**
 * Runs the program and ends the process with the exit code of the contract.
 * @param entryUrl URL of the entry module: workers are found beside it, compiled or not
 */
export async function runProgram(entryUrl: string): Promise<void> {
  const runtime = await currentRuntime();
  const workerUrl = new URL("./agent/job_worker.ts", entryUrl);
  const fail = (error: unknown) => internalError(runtime.process, error);
  runtime.process.onUncaught(fail);
  try {
    const code = await runCli(runtime.process.args, {
      runtime,
      out: createOutput(runtime.process),
      version: VERSION,
      offline: async () => {
        const { offlineOperations } = await import("./compose_offline.ts");
        return offlineOperations(runtime, entryUrl);
      },
      runDaemon: async (options) => {
        const { runDaemon } = await import("./run_daemon.ts");
        return await runDaemon(runtime, { ...options, workerUrl }).catch((error) => {
          throw operatingError(error, `run agent --role ${options.role}`);
        });
      },
    });
    runtime.process.exit(code);
  } catch (error) {
    fail(error);
  }
}

function internalError(process: Process, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  const what = error instanceof AssertionFailure ? "a broken invariant" : "an unexpected error";
  process.write(2, `agent: internal error, ${what}: ${text}\n`);
  process.exit(EXIT_INTERNAL);
}
