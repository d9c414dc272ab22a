// Exit codes of the command-line contract: which error code ends the program with which number.
//
// Pure. 0 ok; 1 failed, nothing published; 2 usage; 3 published but incomplete; 10 no such backup,
// client or job; 11 busy; 12 authentication; 13 verify found damage; 14 no space; 15 daemon or
// peer not reachable; 70 an internal error; 130 and 143 cancelled by SIGINT and SIGTERM. Of `wal
// get`: 0, 1 only for a file that is proved not to be there, 126 otherwise; of `wal push` 0 to 125.

import type { ErrorCode, ErrorRecord } from "../transport/ground/error.ts";
import type { JobState, Summary } from "./control/daemon.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INCOMPLETE = 3;
export const EXIT_INTERNAL = 70;
export const EXIT_WAL_PUSH_MAX = 125;
export const EXIT_WAL_GET_FAILED = 126;
export const EXIT_CANCELLED = 130;
export const EXIT_TERMINATED = 143;

const EXIT_BY_ERROR: { readonly [Code in ErrorCode | "internal"]: number } = {
  usage: EXIT_USAGE,
  failed: EXIT_FAILED,
  not_found: 10,
  absent: EXIT_FAILED,
  busy: 11,
  port_in_use: 11,
  auth: 12,
  damaged: 13,
  no_space: 14,
  unreachable: 15,
  refused: 15,
  timeout: 15,
  reset: EXIT_FAILED,
  closed: EXIT_FAILED,
  mismatch: EXIT_FAILED,
  volume: EXIT_FAILED,
  unsupported: EXIT_FAILED,
  cancelled: EXIT_CANCELLED,
  internal: EXIT_INTERNAL,
};

/** The exit code of a program that ended with this error. */
export function exitCodeOfError(code: ErrorCode | "internal"): number {
  return EXIT_BY_ERROR[code];
}

/**
 * The exit code of the program with these arguments. PostgreSQL reads those of its archive and
 * restore commands in its own way: of `wal get` 1 means that the file is not there, whereupon it
 * ends its recovery, and above 125 that something failed; of `wal push` above 125 that the archiver
 * shall give up.
 */
export function exitCodeOf(args: readonly string[], code: ErrorCode | "internal"): number {
  if (isCommand(args, "wal", "get")) return code === "absent" ? EXIT_FAILED : EXIT_WAL_GET_FAILED;
  const plain = exitCodeOfError(code);
  return isCommand(args, "wal", "push") && plain > EXIT_WAL_PUSH_MAX ? EXIT_FAILED : plain;
}

/** Wherever options stand. */
function isCommand(args: readonly string[], ...words: readonly string[]): boolean {
  return args.some((_, at) => words.every((word, index) => args[at + index] === word));
}

/** How a job ended, as its view and its last event tell. */
export interface JobEnd {
  readonly state: JobState;
  readonly status: Summary["status"];
  readonly error: Pick<ErrorRecord, "code"> | null;
}

/**
 * The exit code of a command that waited for a job.
 * @param signal what cancelled the job from this terminal, or null
 */
export function exitCodeOfJob(end: JobEnd, signal: "SIGINT" | "SIGTERM" | null): number {
  const cancelled = end.state === "cancelled" || end.error?.code === "cancelled";
  if (cancelled) return signal === "SIGTERM" ? EXIT_TERMINATED : EXIT_CANCELLED;
  if (end.status === "ok") return EXIT_OK;
  if (end.status === "incomplete") return EXIT_INCOMPLETE;
  return end.error === null ? EXIT_FAILED : exitCodeOfError(end.error.code);
}
