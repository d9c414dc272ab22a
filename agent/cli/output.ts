// Where a command writes: standard output and error as text, and what the terminal can do.

import pc from "picocolors";
import type { Process } from "../../transport/runtime/runtime.ts";
import { DEFAULT_COLUMNS } from "./limits.ts";

export type Paint = ReturnType<typeof pc.createColors>;

export interface Output {
  /** Writes to standard output (1) or standard error (2). */
  write(stream: 1 | 2, text: string): void;
  isTerminal(stream: 1 | 2): boolean;
  columns(): number;
  /** Colours for a stream: the text unchanged where there is no terminal or NO_COLOR is set. */
  paint(stream: 1 | 2): Paint;
}

/** The real one, over the process's standard streams. */
export function createOutput(process: Process): Output {
  const wanted = (process.env("NO_COLOR") ?? "") === "" && process.env("TERM") !== "dumb";
  const isTerminal = (stream: 1 | 2) => process.isTerminal(stream);
  return {
    write: (stream, text) => process.write(stream, text),
    isTerminal,
    columns: () => process.isTerminal(1) ? process.columns() : DEFAULT_COLUMNS,
    paint: (stream) => pc.createColors(wanted && isTerminal(stream)),
  };
}

/** `1 file`, `2 files`. */
export function count(number: number, what: string, many = `${what}s`): string {
  return `${number} ${number === 1 ? what : many}`;
}

/** Text from a file system or peer as it may go to a terminal: no control characters. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
