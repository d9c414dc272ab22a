// Opens the directory that a restore writes below, and makes it when it is not there.

import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { hasErrno } from "./placement.ts";

/**
 * Rights of a directory that the restore has no entry for, whatever the umask is: whom the restored
 * objects belong to must get to them.
 */
const PARENT_MODE = 0o755;

/**
 * @returns a descriptor of the directory, which the caller closes
 * @throws AgentError `failed` when something else is in the way
 */
export function openTarget(files: Files, target: string): number {
  const flags = { access: "read", directory: true } as const;
  try {
    for (let at = target.indexOf("/", 1); at > 0; at = target.indexOf("/", at + 1)) {
      makeIfMissing(files, target.slice(0, at));
    }
    makeIfMissing(files, target);
    return files.open(AT_CWD, target, flags);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw noDirectory(target, cause);
  }
}

/** The error of a target that cannot be used as a directory. */
export function noDirectory(target: string, cause: SystemError): AgentError {
  const message = `Cannot restore to "${target}": found ${cause.errno}, need a directory`;
  return new AgentError("failed", message, {
    cause,
    hint: "Give `--target` a directory that can be written to.",
  });
}

/** The error of a target with something in it, where no policy says what becomes of that. */
export function notEmpty(target: string): AgentError {
  const message = `Cannot restore to "${target}": found files in it, need it empty`;
  return new AgentError("failed", message, {
    hint: "Give `--overwrite never|always|changed` or an empty directory.",
  });
}

function makeIfMissing(files: Files, path: string): void {
  try {
    files.stat(AT_CWD, path, { follow: true });
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "ENOENT") throw error;
    files.makeDirectory(AT_CWD, path, PARENT_MODE);
    widen(files, path);
  }
}

/** Gives a fresh directory what the umask left out, where the file system has modes. */
function widen(files: Files, path: string): void {
  const { mode } = files.stat(AT_CWD, path);
  if ((mode & PARENT_MODE) === PARENT_MODE) return;
  try {
    files.changeMode(AT_CWD, path, mode | PARENT_MODE);
  } catch (error) {
    if (!hasErrno(error, "EPERM", "ENOTSUP", "EOPNOTSUPP")) throw error;
  }
}
