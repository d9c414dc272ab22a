// Whether a path names something.

import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";

/** A link counts as itself. @throws SystemError when it cannot be told */
export function isThere(files: Files, path: string): boolean {
  try {
    files.stat(AT_CWD, path);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return false;
    throw error;
  }
}
