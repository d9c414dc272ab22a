// How a command that failed says so, and with which exit code it ends.

import { toErrorRecord } from "../../transport/ground/error.ts";
import { exitCodeOf } from "../exit_code.ts";
import { type Output, printable } from "./output.ts";

/** @returns the exit code */
export function reportError(error: unknown, args: readonly string[], out: Output): number {
  const { code, message, hint } = toErrorRecord(error);
  if (args.includes("--json")) {
    out.write(2, `${JSON.stringify({ type: "error", code, message, hint: hint ?? null })}\n`);
  } else {
    out.write(2, `${out.paint(2).red(errorText(message, hint))}\n`);
  }
  return exitCodeOf(args, code);
}

/** An error and its hint as text. */
export function errorText(message: string, hint: string | undefined): string {
  const lines = message.split("\n").map(printable).join("\n");
  return hint === undefined ? `error: ${lines}` : `error: ${lines}\nhint: ${printable(hint)}`;
}
