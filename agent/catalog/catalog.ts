// The catalog: the database in the vault that says what is in the media files.
//
// Life cycle: `Catalog.open` makes one connection; every thread has its own; whoever opened it
// closes it. Readers never wait for an import. Statements are short-lived and belong to a call.

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { AgentError } from "../../transport/ground/error.ts";
import type { ListedEntry } from "../control/daemon.ts";
import type { Drill } from "../control/drill_view.ts";
import type { IndexRow } from "../entry.ts";
import { pathOfWalkKey, walkKey, walkRange } from "../walk_order.ts";
import type { MediaReader } from "../media/mod.ts";
import {
  blobOf,
  type Columns,
  ENTRY_COLUMNS,
  FILE_CODE,
  fromColumns,
  HARDLINK_CODE,
  numberOf,
  splitPath,
} from "./entry_row.ts";
import {
  type CatalogBackup,
  type LastBackup,
  type SourceName,
  sourceOf,
  toBackup,
  toLastBackup,
} from "./backup_row.ts";
import { EarlyRows } from "./early_rows.ts";
import * as expiry from "./expiry.ts";
import { type EntryState, STATE_COLUMNS, toState } from "./entry_state.ts";
import { importMedia, sourceKey } from "./import_media.ts";
import { listPath, listRoots, SEEN, type Seen } from "./listing.ts";
import { resolveReference } from "./reference.ts";
import { openDatabase } from "./schema.ts";
import { catalogError } from "./sqlite_error.ts";

/** A row of a backup and the number of the backup whose media file holds its member. */
export interface CatalogRow extends IndexRow {
  readonly media: number;
  /** True when what was read may be of another moment than the entry. */
  readonly unsettled: boolean;
}

/** A row and the interval of backups that see it: [first, end), open when `end` is null. */
export interface Version {
  readonly row: CatalogRow;
  readonly first: number;
  readonly end: number | null;
}

const BACKUPS = `SELECT b.*, s.client, s.kind, s.database, s.paths, s.exclude, s.exclude_caches,
    s.one_file_system, s.exclude_larger_than, s.ignore_file, p.backup AS parent_backup
  FROM backups b JOIN sources s ON s.id = b.source LEFT JOIN backups p ON p.number = b.parent
  ORDER BY b.number`;
const LAST_BACKUPS = `SELECT s.client, s.kind, s.database, MAX(b.started_ms) AS newest,
    MAX(CASE WHEN b.status = 'ok' THEN b.started_ms END) AS complete
  FROM backups b JOIN sources s ON s.id = b.source WHERE b.expired = 0
  GROUP BY s.client, s.kind, s.database ORDER BY s.client, s.kind, s.database`;
/** The range of all directories' keys. */
const EVERYTHING = { first: new Uint8Array(0), end: Uint8Array.of(1) } as const;
const EVERYWHERE = [EVERYTHING.first, EVERYTHING.end] as const;
const ROWS = `SELECT ${ENTRY_COLUMNS} FROM entries e JOIN directories d ON d.id = e.directory`;
const BY_PLACE = "ORDER BY media, tar_offset";
/** Directories outside, their entries inside: both indexes are in the order of the walk. */
const ROWS_BELOW = `SELECT ${ENTRY_COLUMNS} FROM directories d
  CROSS JOIN entries e ON e.directory = d.id WHERE d.source = ? AND`;
const DIRECTORIES_BELOW = `SELECT id, key FROM directories
  WHERE source = ? AND key >= ? AND key < ? ORDER BY key`;
const STATES = `SELECT ${STATE_COLUMNS} FROM entries e
  WHERE ${SEEN} AND e.directory = ? ORDER BY e.name`;

export class Catalog {
  readonly #database: DatabaseSync;
  readonly #path: string;
  #earlyCount = 0;

  private constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /**
   * Opens the catalog, creating it when there is none.
   * @throws AgentError `damaged` | `no_space` | `busy` | `failed` | `unsupported`
   */
  static open(path: string): Catalog {
    return new Catalog(openDatabase(path), path);
  }

  /** A catalog that reads a database which is open already; it closes it. */
  static over(database: DatabaseSync): Catalog {
    return new Catalog(database, "temporary");
  }

  /** Published backups, newest last. */
  backups(): CatalogBackup[] {
    return this.withExpired().filter(({ expired }) => !expired);
  }

  /** The same with the expired ones whose rows are still there. */
  withExpired(): CatalogBackup[] {
    return this.#run("read", () => this.#database.prepare(BACKUPS).all().map(toBackup));
  }

  /** The newest backup of each client's files and of each database, and the newest complete one. */
  lastBackups(): LastBackup[] {
    return this.#run("read", () => this.#database.prepare(LAST_BACKUPS).all().map(toLastBackup));
  }

  /**
   * The backup that an id, a unique prefix, `latest` or `latest:NAME` names.
   * @throws AgentError `not_found`
   */
  backup(reference: string): CatalogBackup {
    return resolveReference(this.backups(), reference);
  }

  /**
   * Immediate children of `path`, the object itself, or without a path the roots of the backup.
   * @throws AgentError `not_found`
   */
  list(reference: string, path: string | Uint8Array | null): ListedEntry[] {
    const backup = this.backup(reference);
    return this.#run(
      "read",
      () =>
        path === null
          ? listRoots(this.#database, backup, backup.paths)
          : listPath(this.#database, backup, path),
    );
  }

  /** The number that the next published backup gets. */
  nextNumber(): number {
    return this.#run("read", () => {
      const sql = "SELECT COALESCE(MAX(number), 0) + 1 AS next FROM backups";
      return numberOf(this.#database.prepare(sql).get() ?? {}, "next");
    });
  }

  /**
   * Takes the rows of a full backup while it is written, for its import; the caller disposes of it.
   * @returns null where there is no place for them
   */
  takeEarly(): EarlyRows | null {
    try {
      return new EarlyRows(this.#database, `early${++this.#earlyCount}`);
    } catch (error) {
      if (error instanceof AgentError) return null;
      throw error;
    }
  }

  /**
   * Publishes the backup of a finished media file, in one transaction.
   * @throws AgentError `damaged` | `no_space` | `busy` | `failed`; then nothing has changed
   */
  import(media: MediaReader, early: EarlyRows | null = null): void {
    const number = Math.max(this.nextNumber(), media.trailer.number);
    this.#run("write", () => importMedia(this.#database, media, { number, early }));
  }

  /** Marks backups as expired. @throws AgentError `no_space` | `busy` | `failed` */
  markExpired(backups: readonly string[]): void {
    this.#run("write", () => expiry.markExpired(this.#database, backups));
  }

  /** Says that a backup is pinned, or no more. @throws AgentError `no_space` | `busy` | `failed` */
  setPinned(backup: string, pinned: boolean): void {
    this.#run("write", () => expiry.setPinned(this.#database, backup, pinned));
  }

  /** Says how the last drill went. @throws AgentError `no_space` | `busy` | `failed` */
  setDrill(backup: string, drill: Drill | null): void {
    this.#run("write", () => expiry.setDrill(this.#database, backup, drill));
  }

  /** Removes an expired backup whose media file is gone; yields between its transactions. */
  *forget(backup: CatalogBackup): Generator<void> {
    const steps = expiry.forget(this.#database, backup);
    while (this.#run("write", () => steps.next()).done !== true) yield;
  }

  /** The newest published backup of a source, null when there is none. */
  latestOf(source: SourceName): CatalogBackup | null {
    const { key } = sourceKey(source);
    return this.backups().findLast((one) => sourceKey(sourceOf(one)).key === key) ?? null;
  }

  /** The backups that one builds on and itself: the full one first. */
  chain(backup: CatalogBackup): CatalogBackup[] {
    return this.withExpired().filter((one) =>
      one.generation === backup.generation && one.number <= backup.number
    );
  }

  /** Numbers of the backups whose media files hold what a backup sees. */
  mediaOf(backup: CatalogBackup): number[] {
    const sql = `SELECT DISTINCT e.media AS media FROM entries e WHERE ${SEEN} ORDER BY e.media`;
    return this.#run(
      "read",
      () => this.#database.prepare(sql).all(...seenBy(backup)).map((row) => numberOf(row, "media")),
    );
  }

  /** The states of everything below a path in the order of a walk, without the path itself. */
  *statesBelow(backup: Seen, path: Uint8Array): Generator<EntryState> {
    const { first, end } = walkRange(path);
    // The outer statement stays open, so that all are of one moment.
    const directories = this.#columns(DIRECTORIES_BELOW, [backup.source, first, end]);
    const states = this.#run("read", () => this.#database.prepare(STATES));
    for (const found of directories) {
      const directory = pathOfWalkKey(blobOf(found, "key"));
      const parameters = [...seenBy(backup), numberOf(found, "id")];
      for (const columns of this.#rowsOf(states, parameters)) yield toState(columns, directory);
    }
  }

  /** The rows that a backup sees and `unlike` does not, in the order of a walk. */
  rowsInWalkOrder(backup: CatalogBackup, unlike: CatalogBackup): Generator<CatalogRow> {
    const sameLine = backup.generation === unlike.generation;
    const seen = sameLine ? `${SEEN} AND NOT (${SEEN})` : SEEN;
    const line = sameLine ? seenBy(unlike) : [];
    return this.#inWalkOrder(seen, [backup.source, ...EVERYWHERE, ...seenBy(backup), ...line]);
  }

  /** Every state of what is below a path in the line of backups of `full`, first state first. */
  *versions(full: CatalogBackup, path: Uint8Array): Generator<Version> {
    // The root's own parent is "": everything.
    const { first, end } = path.length === 0 ? EVERYTHING : walkRange(path);
    const found = this.#columns(
      `SELECT ${ENTRY_COLUMNS}, e.first, e."end" FROM directories d
        CROSS JOIN entries e ON e.directory = d.id
        WHERE d.source = ? AND d.key >= ? AND d.key < ? AND e.generation = ?
        ORDER BY d.key, e.name, e.first`,
      [full.source, first, end, full.generation],
    );
    for (const columns of found) {
      const closed = columns["end"] === null ? null : numberOf(columns, "end");
      yield { row: toRow(columns), first: numberOf(columns, "first"), end: closed };
    }
  }

  /** Entries and content bytes that a backup sees. */
  totals(backup: CatalogBackup): { readonly files: number; readonly bytes: number } {
    return this.#run("read", () => {
      const sql = `SELECT COUNT(*) AS files, COALESCE(SUM(e.size) FILTER (WHERE e.type =
        ${FILE_CODE}), 0) AS bytes FROM entries e WHERE ${SEEN}`;
      const row = this.#database.prepare(sql).get(...seenBy(backup)) ?? {};
      return { files: numberOf(row, "files"), bytes: numberOf(row, "bytes") };
    });
  }

  /** The rows of a path and of everything below it, in no particular order. */
  rowsWithin(backup: CatalogBackup, path: Uint8Array): Generator<CatalogRow> {
    return this.#within(backup, path);
  }

  /** The same, by media file and place in it. */
  rowsInTarOrder(backup: CatalogBackup, path: Uint8Array): Generator<CatalogRow> {
    return this.#within(backup, path, { order: BY_PLACE });
  }

  /** The hard links among these, by media file and place in it. */
  hardLinks(backup: Seen, path: Uint8Array): Generator<CatalogRow> {
    return this.#within(backup, path, { order: BY_PLACE, type: HARDLINK_CODE });
  }

  /** The rows whose members the media file of `backup` holds, by place. */
  rowsOfMedia(backup: CatalogBackup): Generator<CatalogRow> {
    const where = "WHERE e.generation = ? AND e.media = ? ORDER BY e.tar_offset";
    return this.#iterate(where, [backup.generation, backup.number]);
  }

  /** The state of one path, null when the backup does not hold it. */
  state(backup: Seen, path: Uint8Array): EntryState | null {
    const { parent, name } = splitPath(path);
    return this.#run("read", () => {
      const sql = `SELECT ${STATE_COLUMNS} FROM entries e JOIN directories d ON d.id = e.directory
        WHERE ${SEEN} AND d.source = ? AND d.key = ? AND e.name = ?`;
      const key = walkKey(parent);
      const columns = this.#database.prepare(sql).get(...seenBy(backup), backup.source, key, name);
      return columns === undefined ? null : toState(columns, parent);
    });
  }

  /** The row of one path, null when the backup does not hold it. */
  row(backup: Seen, path: Uint8Array): CatalogRow | null {
    const { parent, name } = splitPath(path);
    return this.#run("read", () => {
      const sql = `${ROWS} WHERE ${SEEN} AND d.source = ? AND d.key = ? AND e.name = ?`;
      const key = walkKey(parent);
      const columns = this.#database.prepare(sql).get(...seenBy(backup), backup.source, key, name);
      return columns === undefined ? null : toRow(columns);
    });
  }

  /**
   * Brings what its log holds into the file, which may then be moved without the log.
   * @throws AgentError `no_space` | `failed`
   */
  settle(): void {
    this.#run("write", () => this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }

  /** Closes the connection. Idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #inWalkOrder(seen: string, parameters: readonly SQLInputValue[]): Generator<CatalogRow> {
    const order = "ORDER BY d.key, e.name";
    return this.#select(`${ROWS_BELOW} d.key >= ? AND d.key < ? AND ${seen} ${order}`, parameters);
  }

  #within(
    backup: Seen,
    path: Uint8Array,
    { order = "", type }: { readonly order?: string; readonly type?: number } = {},
  ): Generator<CatalogRow> {
    const seen = seenBy(backup);
    const wanted = type === undefined ? SEEN : `${SEEN} AND e.type = ${type}`;
    if (path.length <= 1) return this.#iterate(`WHERE ${wanted} ${order}`, seen);
    const { parent, name } = splitPath(path);
    const { first, end } = walkRange(path);
    const { source } = backup;
    return this.#select(
      `${ROWS_BELOW} d.key = ? AND e.name = ? AND ${wanted} UNION ALL
        ${ROWS_BELOW} d.key >= ? AND d.key < ? AND ${wanted} ${order}`,
      [source, walkKey(parent), name, ...seen, source, first, end, ...seen],
    );
  }

  #iterate(where: string, parameters: readonly SQLInputValue[]): Generator<CatalogRow> {
    return this.#select(`${ROWS} ${where}`, parameters);
  }

  *#select(sql: string, parameters: readonly SQLInputValue[]): Generator<CatalogRow> {
    for (const columns of this.#columns(sql, parameters)) yield toRow(columns);
  }

  *#columns(sql: string, parameters: readonly SQLInputValue[]): Generator<Columns> {
    yield* this.#rowsOf(this.#run("read", () => this.#database.prepare(sql)), parameters);
  }

  *#rowsOf(statement: StatementSync, parameters: readonly SQLInputValue[]): Generator<Columns> {
    const rows = this.#run("read", () => statement.iterate(...parameters));
    try {
      yield* rows;
    } catch (error) {
      throw catalogError(error, `read catalog "${this.#path}"`);
    }
  }

  #run<T>(doing: "read" | "write", body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw catalogError(error, `${doing} catalog "${this.#path}"`);
    }
  }
}

function seenBy(backup: Seen): [number, number, number] {
  return [backup.generation, backup.number, backup.number];
}

function toRow(columns: Columns): CatalogRow {
  return {
    ...fromColumns(columns),
    media: numberOf(columns, "media"),
    unsettled: numberOf(columns, "unsettled") === 1,
  };
}
