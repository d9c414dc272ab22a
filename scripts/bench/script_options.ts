// The options of a script: `--help` says which there are, and so does a wrong one, with exit
// code 2 and without a stack trace.

import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** @param usage one line, as in "Usage: scripts/demo [--keep]" */
export function scriptOptions<T extends Options>(usage: string, args: string[], options: T) {
  const encoder = new TextEncoder();
  if (args.includes("--help")) {
    Deno.stdout.writeSync(encoder.encode(`${usage}\n`));
    Deno.exit(0);
  }
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    const found = error instanceof Error ? error.message : error;
    Deno.stderr.writeSync(encoder.encode(`${found}\n${usage}\n`));
    Deno.exit(2);
  }
}
