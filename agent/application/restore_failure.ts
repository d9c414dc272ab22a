// What a step of a restore that failed comes to: a warning for the one object that it was for, and
// the end of the restore when the medium is full or broken.

import { AgentError } from "../../transport/ground/error.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import type { ApplicationWarning } from "./application.ts";
import { isMediumFailure } from "./medium_failure.ts";
import { hasErrno } from "./placement.ts";

/**
 * @param target the directory restored to; `path`: the full source path of the object
 * @throws AgentError `no_space` | `failed` for the medium, and whatever is no failed system call
 */
export function warningOfFailure(
  error: unknown,
  { target, path }: { readonly target: string; readonly path: Uint8Array },
): ApplicationWarning {
  if (!(error instanceof SystemError)) throw error;
  const what = `${error.syscall}: ${error.errno}`;
  if (hasErrno(error, "ENOSPC", "EDQUOT")) {
    const message = `Cannot restore to "${target}": found ${error.errno}, need more space`;
    const hint = "Free space or give another target.";
    throw new AgentError("no_space", message, { cause: error, hint });
  }
  if (isMediumFailure(error)) {
    const message = `Cannot restore to "${target}": found ${what}, need a medium that takes writes`;
    throw new AgentError("failed", message, { cause: error });
  }
  const code = hasErrno(error, "ENOTDIR", "ELOOP", "ENOTEMPTY", "EISDIR", "EEXIST")
    ? "occupied"
    : "unwritten";
  return { code, path, message: what };
}
