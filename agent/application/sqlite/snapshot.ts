// A consistent copy of an SQLite database, and its producer: one member at the database's path.
//
// VACUUM INTO reads one transaction, so that rows which are only in the write-ahead log are in the
// copy, and a writer at the same time neither waits nor is half seen (a stepwise backup would start
// over at each foreign write). Invariant: the source is opened for reading only; the copy keeps
// the source's journal mode, owner, mode and time.

import { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, SystemError } from "../../../transport/runtime/files.ts";
import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import { toEntry } from "../entry_of.ts";
import type { Producer } from "../application.ts";
import { FrameAssembler } from "../frame_assembler.ts";
import { SQLITE_BUSY_MS } from "../limits.ts";
import { endStream, planMember, streamMember } from "../member_stream.ts";
import { fromSqlite } from "./sqlite_error.ts";

export interface SnapshotSqliteOptions {
  readonly files: Files;
  /** Full path of the database. */
  readonly source: string;
  /** Full path of the copy; replaced when it exists, and deleted by the caller. */
  readonly spool: string;
}

/**
 * Copies the database to the spool file (rights 0600). Blocks for the length of the copy.
 * @throws AgentError `busy` | `damaged` | `no_space` | `failed`
 */
export function snapshotSqlite(options: SnapshotSqliteOptions): void {
  const { files, source, spool } = options;
  statSource(files, source);
  makeSpool(files, spool);
  try {
    const database = new DatabaseSync(source, { readOnly: true });
    let journalMode: unknown;
    try {
      database.exec(`PRAGMA busy_timeout = ${SQLITE_BUSY_MS}`);
      journalMode = database.prepare("PRAGMA journal_mode").get()?.["journal_mode"];
      database.prepare("VACUUM INTO ?").run(spool);
    } finally {
      database.close();
    }
    if (journalMode === "wal") setWalMode(spool);
  } catch (error) {
    removeIfThere(files, spool);
    throw fromSqlite(error, `back up database "${source}"`);
  }
}

/** An empty file that only we may read, for SQLite to fill. */
function makeSpool(files: Files, spool: string): void {
  const flags = { access: "write", create: true, exclusive: true, noFollow: true } as const;
  try {
    removeIfThere(files, spool);
    files.close(files.open(AT_CWD, spool, { ...flags, mode: 0o600 }));
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    const full = cause.errno === "ENOSPC" || cause.errno === "EDQUOT";
    const message = `Cannot make snapshot "${spool}": found ${cause.errno}, need ` +
      (full ? "free space" : "a directory that can be written to");
    const hint = full
      ? "Free space there, or set the key `spool` of the client to another directory."
      : "Set the key `spool` of the client to such a directory.";
    throw new AgentError(full ? "no_space" : "failed", message, { cause, hint });
  }
}

export interface ProduceSqliteOptions extends SnapshotSqliteOptions {
  /** Tar bytes of a frame; 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Produces the records of a snapshot that `snapshotSqlite` made.
 * @throws AgentError `failed` | `cancelled`
 */
export function* produceSqlite(options: ProduceSqliteOptions): Producer {
  const { files, source, spool } = options;
  const frames = new FrameAssembler(options);
  const stat = statSource(files, source);
  const descriptor = files.open(AT_CWD, spool, { access: "read", noFollow: true });
  try {
    const sizeBytes = files.statDescriptor(descriptor).sizeBytes;
    const entry = { ...toEntry(new TextEncoder().encode(source), stat, null), sizeBytes };
    const records = streamMember(
      frames,
      files,
      descriptor,
      planMember(entry, { sparse: null, xattrs: [] }),
    );
    for (;;) {
      if (options.signal?.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
      const next = records.next();
      if (next.done !== true) yield next.value;
      else if (next.value) break;
      else {throw new AgentError(
          "failed",
          `Cannot read "${spool}": found it shorter, need it whole`,
        );}
    }
    yield* endStream(frames);
    return frames.totals;
  } finally {
    files.close(descriptor);
  }
}

function setWalMode(spool: string): void {
  const copy = new DatabaseSync(spool);
  try {
    copy.exec("PRAGMA journal_mode = WAL");
  } finally {
    copy.close();
  }
}

function statSource(files: Files, source: string): FileStat {
  try {
    const stat = files.stat(AT_CWD, source, { follow: true });
    if (stat.type === "file") return stat;
    throw new AgentError(
      "failed",
      `Cannot back up database "${source}": found a ${stat.type}, need a file`,
      { hint: "Set the key `path` of the database to its file." },
    );
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    const message = `Cannot back up database "${source}": found ${cause.errno}, need a file`;
    throw new AgentError("failed", message, {
      cause,
      hint: "Set the key `path` of the database to its file.",
    });
  }
}

function removeIfThere(files: Files, path: string): void {
  for (const name of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    try {
      files.unlink(AT_CWD, name);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== "ENOENT") throw error;
    }
  }
}
