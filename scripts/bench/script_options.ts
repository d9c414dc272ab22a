// The options of a script: `--help` says which there are, and so does a wrong one, with exit
// code 2 and without a stack trace.

import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Writes to standard output at once: `console` would colour and buffer. */
export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** A line for people on standard error. */
export function note(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** Ends the script as a wrong option does. */
export function failUsage(text: string): never {
  note(text);
  Deno.exit(2);
}

/** The value of an option that is a count. */
export function wholeNumber(text: string, name: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  return failUsage(`Cannot use --${name}: found "${text}", need a whole number from 1`);
}

/** @param usage one line, as in "Usage: scripts/demo [--keep]" */
export function scriptOptions<T extends Options>(usage: string, args: string[], options: T) {
  if (args.includes("--help")) {
    say(`${usage}\n`);
    Deno.exit(0);
  }
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    const found = error instanceof Error ? error.message : error;
    return failUsage(`${found}\n${usage}`);
  }
}
