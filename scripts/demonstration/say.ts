// What the demos say on the terminal: lines, headlines, verdicts.
//
// Written at once and throwing: a reader that goes away (`demo | head`) is an exception on the way
// through the demo's clean-up, where a stream's error event would end the process beside it.

import { writeSync } from "node:fs";

const STANDARD_OUTPUT = 1;

/** Differences shown of each comparison: the first ones say what is wrong. */
const SHOWN_MAX = 20;

export function say(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let at = 0; at < bytes.length;) at += writeSync(STANDARD_OUTPUT, bytes, at);
}

export function headline(text: string): void {
  say(`\n── ${text} ${"─".repeat(Math.max(3, 76 - text.length))}`);
}

/** Says whether `what` holds, with what speaks against it. @returns true when nothing does */
export function verdictLine(what: string, problems: readonly string[]): boolean {
  say(`${problems.length === 0 ? "✔" : "✘"} ${what}`);
  for (const problem of problems.slice(0, SHOWN_MAX)) say(`    ${problem}`);
  if (problems.length > SHOWN_MAX) say(`    and ${problems.length - SHOWN_MAX} more`);
  return problems.length === 0;
}
