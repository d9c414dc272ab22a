// SQLite's errors as operating errors: the result code decides. Deno gives none for errors of
// opening and of `exec` (measured), so that SQLite's own text of the code decides there.

import { AgentError } from "../../../transport/ground/error.ts";
import type { ErrorCode } from "../../../transport/ground/error.ts";

/** Primary result codes (sqlite.org/rescode.html). */
const CODES: Readonly<Record<number, ErrorCode>> = {
  5: "busy", // SQLITE_BUSY
  6: "busy", // SQLITE_LOCKED
  11: "damaged", // SQLITE_CORRUPT
  13: "no_space", // SQLITE_FULL
  26: "damaged", // SQLITE_NOTADB
};

const HINTS: Partial<Readonly<Record<ErrorCode, string>>> = {
  busy: "End the programs that hold the database, or try again.",
  damaged: "Check the database with `sqlite3` and `PRAGMA integrity_check`.",
  no_space: "Free space on the medium.",
};

/** What SQLite says for a result code when nothing else is known (sqlite3_errstr). */
const TEXTS: readonly (readonly [code: number, text: RegExp])[] = [
  [5, /^database is locked/],
  [6, /^database table is locked/],
  [11, /^database disk image is malformed/],
  [13, /^database or disk is full/],
  [26, /^file is not a database/],
];

/** For errors of SQLite whose result code nobody knows. */
const SQLITE_ERROR = 1;

/** The primary result code of an error of node:sqlite, null for any other error. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  if (!("code" in error) || error.code !== "ERR_SQLITE_ERROR") return null;
  return TEXTS.find(([, text]) => text.test(error.message))?.[0] ?? SQLITE_ERROR;
}

/** Makes an AgentError "Cannot <action>: found …" of an error of node:sqlite. */
export function fromSqlite(error: unknown, action: string): AgentError {
  if (error instanceof AgentError) return error;
  const code = CODES[sqliteCode(error) ?? 0] ?? "failed";
  const found = error instanceof Error ? error.message : String(error);
  return new AgentError(code, `Cannot ${action}: found ${found}, need a sound, free database`, {
    cause: error,
    hint: HINTS[code],
  });
}
