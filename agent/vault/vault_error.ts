// Failures of the vault's files as operating errors with a hint.

import { AgentError } from "../../transport/ground/error.ts";
import { SystemError } from "../../transport/runtime/files.ts";

const SPACE = "Free space on the file system of the vault, then start the job again.";
const RIGHTS = "Make the vault directory writable for the user that runs the server.";
const DISK = "Look at the disk of the vault and the kernel's log.";

/** Makes an AgentError of a SystemError; anything else passes. */
export function vaultError(thrown: unknown, doing: string): unknown {
  if (!(thrown instanceof SystemError)) return thrown;
  const full = thrown.errno === "ENOSPC" || thrown.errno === "EDQUOT";
  const denied = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOENT"].includes(thrown.errno);
  return new AgentError(
    full ? "no_space" : "failed",
    `Cannot ${doing}: ${thrown.message}, need ${
      full ? "free space" : "a readable, writable vault"
    }`,
    { hint: full ? SPACE : denied ? RIGHTS : DISK, cause: thrown },
  );
}

/** Runs `body` and turns what it throws by `vaultError`. */
export function withVaultErrors<T>(doing: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw vaultError(error, doing);
  }
}
