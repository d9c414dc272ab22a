// Failures of the vault's files as operating errors with a hint.

import { AgentError } from "../../transport/ground/error.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { FULL_BELOW_BYTES } from "./limits.ts";

const SPACE = "Free space on the file system of the vault, then start the job again.";
const RIGHTS = "Make the vault directory writable for the user that runs the server.";
const DISK = "Look at the disk of the vault and the kernel's log.";

/** A vault's directory and the files to reach it with. */
export interface VaultPlace {
  readonly directory: string;
  readonly files: Files;
}

/** Makes an AgentError of a SystemError; anything else passes, but for SQLite on a full disk. */
export function vaultError(thrown: unknown, doing: string, place: VaultPlace): unknown {
  if (thrown instanceof AgentError && thrown.code === "failed" && isFull(place)) {
    // SQLite calls it an I/O error when its log's index cannot grow (measured on a full tmpfs).
    return new AgentError("no_space", thrown.message, { hint: SPACE, cause: thrown });
  }
  return thrown instanceof SystemError ? systemError(thrown, doing, place) : thrown;
}

/** The operating error of a failed system call. */
export function systemError(thrown: SystemError, doing: string, place: VaultPlace): AgentError {
  const full = thrown.errno === "ENOSPC" || thrown.errno === "EDQUOT";
  const denied = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOENT"].includes(thrown.errno);
  const wanted = full ? "free space" : "readable, writable files";
  return new AgentError(
    full ? "no_space" : "failed",
    `Cannot ${doing}: ${thrown.message}, need ${wanted} in "${place.directory}"`,
    { hint: full ? SPACE : denied ? RIGHTS : DISK, cause: thrown },
  );
}

/** Is there too little space for SQLite? */
export function isFull({ files, directory }: VaultPlace): boolean {
  try {
    return files.fileSystem(directory).freeBytes < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
}

/** Runs `body` and turns what it throws by `vaultError`. */
export function withVaultErrors<T>(doing: string, place: VaultPlace, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw vaultError(error, doing, place);
  }
}

/** The error of who finds a backup in the catalog, and beside it the mark of an expiry. */
export function hasExpired(backup: string): AgentError {
  return new AgentError("not_found", `Cannot use backup "${backup}": it has just expired`, {
    hint: "Run `agent backups` to see what there is.",
  });
}
