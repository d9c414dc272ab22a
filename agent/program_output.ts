// Where the program's texts go.

import type { Runtime } from "../transport/runtime/runtime.ts";
import { createOutput, type Output } from "./cli/output.ts";
import { journalLines, PRIORITY_ERROR, writesToJournal } from "./journal.ts";

/** What goes wrong at a start reaches the journal as an error, as the daemon's own lines do. */
export function outputOf(runtime: Runtime): Output {
  const out = createOutput(runtime.process);
  if (!writesToJournal(runtime)) return out;
  const mark = (text: string) => journalLines(PRIORITY_ERROR, text);
  return { ...out, write: (stream, text) => out.write(stream, stream === 2 ? mark(text) : text) };
}
