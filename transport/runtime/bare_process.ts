// The process as far as a start that fails needs it: there is no libc yet, and no module of ours
// may be needed for it.

import { writeSync } from "node:fs";
import process from "node:process";

/** As `Process.args`. */
export function bareArguments(): readonly string[] {
  return process.argv.slice(2);
}

/** Ends the process; `text` goes to standard error if that takes it. */
export function endWithError(text: string, code: number): never {
  try {
    writeSync(2, text);
  } catch {
    // Nobody reads it, or not now: the exit code is what counts.
  }
  process.exit(code);
}
