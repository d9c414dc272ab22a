// Reads a file of exclude patterns for the command line: one a line, as in a .gitignore.

import { AgentError } from "../../transport/ground/error.ts";
import { type Files, readSmallFile, SystemError } from "../../transport/runtime/mod.ts";
import { ruleLines } from "../application/filesystem/exclude_rules.ts";
import { MAX_RULES_FILE_BYTES } from "./limits.ts";

/** @throws AgentError `usage` when the file cannot be read, is too large, or is no UTF-8 */
export function readRules(files: Files, path: string): string[] {
  try {
    const bytes = readSmallFile(files, path, MAX_RULES_FILE_BYTES);
    if (bytes === null) throw refusal(path, `more than ${MAX_RULES_FILE_BYTES} bytes`);
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return ruleLines(bytes).map((line) => decoder.decode(line));
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    const found = cause instanceof SystemError ? cause.errno : "bytes that are no UTF-8";
    throw refusal(path, found, cause);
  }
}

function refusal(path: string, found: string, cause?: unknown): AgentError {
  return new AgentError(
    "usage",
    `Cannot read patterns from "${path}": found ${found}, need a readable text file`,
    { hint: "Name a file with --exclude-file that has one pattern a line.", cause },
  );
}
