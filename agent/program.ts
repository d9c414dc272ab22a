// The program: composes the command line with everything it may call and runs it.

import { AssertionFailure, currentRuntime, type Process, type Runtime } from "../transport/mod.ts";
import { createOutput, type Output, runCli } from "./cli/mod.ts";
import { offlineOperations } from "./compose_offline.ts";
import { VERSION } from "./daemon_parts.ts";
import { EXIT_INTERNAL } from "./exit_code.ts";
import { journalLines, PRIORITY_ERROR, writesToJournal } from "./journal.ts";
import { operatingError } from "./operating_error.ts";
import { runDaemon } from "./run_daemon.ts";

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
      out: outputOf(runtime),
      version: VERSION,
      offline: offlineOperations(runtime, entryUrl),
      runDaemon: (options) =>
        runDaemon(runtime, { ...options, workerUrl }).catch((error) => {
          throw operatingError(error, `run agent --role ${options.role}`);
        }),
    });
    runtime.process.exit(code);
  } catch (error) {
    fail(error);
  }
}

/** What goes wrong at a start reaches the journal as an error, as the daemon's own lines do. */
function outputOf(runtime: Runtime): Output {
  const out = createOutput(runtime.process);
  if (!writesToJournal(runtime)) return out;
  const mark = (text: string) => journalLines(PRIORITY_ERROR, text);
  return { ...out, write: (stream, text) => out.write(stream, stream === 2 ? mark(text) : text) };
}

function internalError(process: Process, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  const what = error instanceof AssertionFailure ? "a broken invariant" : "an unexpected error";
  process.write(2, `agent: internal error, ${what}: ${text}\n`);
  process.exit(EXIT_INTERNAL);
}
