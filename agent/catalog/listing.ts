// `ls`: the immediate children of a path in a backup, or the object itself. One range scan.

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { AgentError } from "../../transport/ground/error.ts";
import type { ListedEntry } from "../control/daemon.ts";
import type { Entry } from "../entry.ts";
import { walkKey } from "../walk_order.ts";
import { ENTRY_COLUMNS, fromColumns, splitPath } from "./entry_row.ts";
import { MAX_LISTED } from "./limits.ts";

/** The backup that is looked at: its number and the generation it belongs to. */
export interface Seen {
  readonly number: number;
  readonly generation: number;
  /** Id of its source. */
  readonly source: number;
}

/** Which rows of a generation a backup sees; parameters: generation, number, number. */
export const SEEN = `e.generation = ? AND e.first <= ? AND (e."end" IS NULL OR e."end" > ?)`;

const FROM = `FROM entries e JOIN directories d ON d.id = e.directory WHERE ${SEEN}`;
const NS_PER_SECOND = 1_000_000_000n;
const UTF8 = new TextEncoder();
const ROOTS = "Run `agent ls BACKUP` to see the paths that were backed up.";
/** A command line gives a name that is no UTF-8 as text, which does not say its bytes. */
const NO_UTF8 = "Run `agent find` with a `*` in place of what is no UTF-8.";

/**
 * Lists the children of a directory by name, or the object itself when it is no directory.
 * @param path its bytes are taken as they are
 * @throws AgentError `not_found`
 */
export function listPath(
  database: DatabaseSync,
  backup: Seen,
  path: string | Uint8Array,
): ListedEntry[] {
  const isText = typeof path === "string";
  const bytes = isText ? UTF8.encode(normalize(path)) : path;
  const children = select(database, backup, {
    where: "d.source = ? AND d.key = ? ORDER BY e.name",
    parameters: [backup.source, walkKey(bytes)],
  });
  if (children.length > 0) return children;
  const itself = listItself(database, backup, bytes);
  if (itself === null) {
    const text = isText ? path : new TextDecoder().decode(path);
    throw new AgentError(
      "not_found",
      `Cannot list "${text}": nothing of that name in the backup, need a path that it holds`,
      { hint: isText && text.includes("\ufffd") ? NO_UTF8 : ROOTS },
    );
  }
  return itself.type === "directory" ? [] : [itself];
}

/** The objects at `paths` themselves; those that the backup does not hold are left out. */
export function listRoots(
  database: DatabaseSync,
  backup: Seen,
  paths: readonly string[],
): ListedEntry[] {
  return paths
    .map((path) => listItself(database, backup, UTF8.encode(normalize(path))))
    .filter((entry) => entry !== null);
}

function listItself(
  database: DatabaseSync,
  backup: Seen,
  path: Uint8Array,
): ListedEntry | null {
  const { parent, name } = splitPath(path);
  const filter = {
    where: "d.source = ? AND d.key = ? AND e.name = ?",
    parameters: [backup.source, walkKey(parent), name],
  };
  return select(database, backup, filter)[0] ?? null;
}

function select(
  database: DatabaseSync,
  { generation, number }: Seen,
  filter: { readonly where: string; readonly parameters: readonly SQLInputValue[] },
): ListedEntry[] {
  const statement = database.prepare(
    `SELECT ${ENTRY_COLUMNS} ${FROM} AND ${filter.where} LIMIT ${MAX_LISTED}`,
  );
  return statement.all(generation, number, number, ...filter.parameters)
    .map((columns) => toListed(fromColumns(columns).entry));
}

/** Drops slashes that mean nothing, so that a path typed with a trailing one is found. */
function normalize(path: string): string {
  const short = path.replace(/\/+/g, "/").replace(/\/$/, "");
  return short === "" ? "/" : short;
}

export function toListed(entry: Entry): ListedEntry {
  const path = new TextDecoder().decode(entry.path);
  const exact = UTF8.encode(path);
  const lossy = exact.length !== entry.path.length ||
    exact.some((byte, at) => byte !== entry.path[at]);
  return {
    path,
    pathBase64: lossy ? base64(entry.path) : null,
    type: entry.type,
    mode: entry.mode.toString(8).padStart(4, "0"),
    uid: entry.uid,
    gid: entry.gid,
    bytes: entry.sizeBytes,
    mtime: formatTime(entry.mtimeNs),
    target: entry.target === null ? null : new TextDecoder().decode(entry.target),
  };
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** RFC 3339 with nanoseconds; beyond what a Date can hold, seconds since 1970 as `@seconds`. */
function formatTime(ns: bigint): string {
  const nanoseconds = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const seconds = (ns - nanoseconds) / NS_PER_SECOND;
  const date = new Date(Number(seconds) * 1000);
  const fraction = nanoseconds.toString().padStart(9, "0");
  if (Number.isNaN(date.getTime())) return `@${seconds}.${fraction}`;
  return `${date.toISOString().slice(0, -5)}.${fraction}Z`;
}
