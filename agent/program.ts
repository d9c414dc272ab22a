// The program: composes the command line with everything it may call and runs it.

import type { Runtime } from "../transport/mod.ts";
import { runCli } from "./cli/mod.ts";
import { VERSION } from "./daemon_parts.ts";
import { operatingError } from "./operating_error.ts";
import { outputOf } from "./program_output.ts";

/** @returns the exit code of the contract; whatever it throws is a bug of ours */
export async function runProgram(runtime: Runtime, entryUrl: string): Promise<number> {
  const workerUrl = new URL("./agent/job_worker.ts", entryUrl);
  const writerUrl = new URL("./agent/writer_worker.ts", entryUrl);
  const command = runtime.process.command(entryUrl);
  return await runCli(runtime.process.args, {
    runtime,
    out: outputOf(runtime),
    version: VERSION,
    // Most runs are commands that ask a daemon: these modules would double their start.
    offline: async () => {
      const { offlineOperations } = await import("./compose_offline.ts");
      return offlineOperations(runtime, entryUrl);
    },
    runDaemon: async (options) => {
      const { runDaemon } = await import("./run_daemon.ts");
      return await runDaemon(runtime, { ...options, workerUrl, writerUrl, command }).catch(
        (error) => {
          throw operatingError(error, `run agent --role ${options.role}`);
        },
      );
    },
  });
}
