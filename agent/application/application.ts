// What an application is: a producer of a pax tar stream, cut into frames, and a consumer of one.
//
// Types, and the one rule about warnings. Both run synchronously on a job's worker thread: the
// caller pulls or feeds one frame at a time and lets the event loop run in between, so that a job
// holds a few frames at a time, whatever it backs up. Compression is the caller's.

import type { TarFrame, TarPieces } from "../record.ts";

/** What went wrong with one path while the job goes on. */
export type WarningCode =
  | "unreadable" // backup: could not be opened, listed or read
  | "vanished" // backup: gone between listing and reading
  | "changed" // backup: changed while it was read, after all tries
  | "grown" // backup: only got longer; stored at the size it had
  | "socket" // backup: sockets are not stored, as in tar
  | "too_long" // backup: the path is longer than the limit
  | "bad_ignore_file" // backup: it, or a rule in it, leaves out nothing, for it cannot be used
  | "unread_xattr" // backup: extended attributes that could not be read, all else is stored
  | "owner" // restore: this and the next five: all else is restored, but not
  | "mode"
  | "times"
  | "acl" // access control lists
  | "capability"
  | "xattr" // other extended attributes
  | "occupied" // restore: something that must not be replaced is in the way
  | "unwritten"; // restore: the object could not be made

export interface ApplicationWarning {
  readonly code: WarningCode;
  /** Full source path. */
  readonly path: Uint8Array;
  readonly message: string;
}

/** True when the warning makes the backup or the restore incomplete (exit 3). */
export function makesIncomplete(code: WarningCode): boolean {
  return !["vanished", "grown", "socket", "bad_ignore_file"].includes(code);
}

export interface Totals {
  /** Entries of every type, as DataRecord.rowCount counts them. */
  readonly files: number;
  /** Source content bytes. */
  readonly bytes: number;
}

/** What a producer made, and how much of it was there already from a backup that was cut. */
export interface Produced extends Totals {
  readonly kept?: Totals | undefined;
}

/**
 * Pull a frame, send it, yield to the event loop, pull the next. Null stands for no frame: it
 * waits for what its caller gets it, or has worked for long and lets the event loop run.
 * `return()` frees everything.
 */
export type Producer = Generator<TarFrame | null, Produced, void>;

/** Feed the frames in order, then `finish`; or `abort`, after any error too. */
export interface Consumer {
  /** @throws AgentError `damaged` | `failed` | `no_space` */
  feed(frame: TarPieces): void;
  /**
   * To be awaited after `feed` and after `finish`, when there is one: what was fed has been taken,
   * the end too. @throws as `feed`
   */
  settle?(): Promise<void>;
  /** What has been written so far. */
  written(): Totals;
  /** Completes what is pending. @throws as `feed` */
  finish(): Totals;
  /** Frees everything and removes what is half-written. Idempotent; nothing after `finish`. */
  abort(): void;
}
