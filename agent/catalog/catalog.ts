// The catalog: the database in the vault that says what is in the media files.
//
// Life cycle: `Catalog.open` makes one connection; every thread has its own; whoever opened it
// closes it. Readers never wait for an import. Statements are short-lived and belong to a call.

import type { DatabaseSync } from "node:sqlite";
import type { BackupDetail } from "../control/daemon.ts";
import type { ListedEntry } from "../control/daemon.ts";
import type { IndexRow } from "../entry.ts";
import type { BackupKind, MediaReader, Skipped } from "../media/mod.ts";
import {
  type Columns,
  ENTRY_COLUMNS,
  fromColumns,
  HARDLINK_CODE,
  numberOf,
  splitPath,
  textOf,
} from "./entry_row.ts";
import { importMedia } from "./import_media.ts";
import { listPath, listRoots, SEEN } from "./listing.ts";
import { resolveReference } from "./reference.ts";
import { openDatabase } from "./schema.ts";
import { catalogError } from "./sqlite_error.ts";

/** A published backup, with its place in the order of publication. */
export interface CatalogBackup extends BackupDetail {
  readonly number: number;
  /** Number of the full backup that its rows belong to. */
  readonly generation: number;
  readonly skippedCount: number;
}

/** A row of a backup and the number of the backup whose media file holds its member. */
export interface CatalogRow extends IndexRow {
  readonly media: number;
}

const BACKUPS = `SELECT b.*, s.client, s.kind, s.database, s.paths, s.exclude
  FROM backups b JOIN sources s ON s.id = b.source ORDER BY b.number`;
const ROWS = `SELECT ${ENTRY_COLUMNS} FROM entries e JOIN directories d ON d.id = e.directory`;

export class Catalog {
  readonly #database: DatabaseSync;
  readonly #path: string;

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

  /** Published backups, newest last. */
  backups(): CatalogBackup[] {
    return this.#run("read", () => this.#database.prepare(BACKUPS).all().map(toBackup));
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
  list(reference: string, path: string | null): ListedEntry[] {
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
   * Publishes the backup of a finished media file, in one transaction.
   * @throws AgentError `damaged` | `no_space` | `busy` | `failed`; then nothing has changed
   */
  import(media: MediaReader): void {
    const number = Math.max(this.nextNumber(), media.trailer.number);
    this.#run("write", () => importMedia(this.#database, media, { number }));
  }

  /** All rows that a backup sees, in no particular order. */
  rows(backup: CatalogBackup): Generator<CatalogRow> {
    return this.#iterate(`WHERE ${SEEN}`, seenBy(backup));
  }

  /** All rows that a backup sees, by media file and place in it. */
  rowsInTarOrder(backup: CatalogBackup): Generator<CatalogRow> {
    return this.#iterate(`WHERE ${SEEN} ORDER BY e.media, e.tar_offset`, seenBy(backup));
  }

  /** The hard links that a backup sees, by place. */
  hardLinks(backup: CatalogBackup): Generator<CatalogRow> {
    const where = `WHERE ${SEEN} AND e.type = ${HARDLINK_CODE} ORDER BY e.media, e.tar_offset`;
    return this.#iterate(where, seenBy(backup));
  }

  /** The rows whose members the media file of `backup` holds, by place. */
  rowsOfMedia(backup: CatalogBackup): Generator<CatalogRow> {
    const where = "WHERE e.generation = ? AND e.media = ? ORDER BY e.tar_offset";
    return this.#iterate(where, [backup.generation, backup.number]);
  }

  /** The row of one path, null when the backup does not hold it. */
  row(backup: CatalogBackup, path: Uint8Array): CatalogRow | null {
    const { parent, name } = splitPath(path);
    return this.#run("read", () => {
      const sql = `${ROWS} WHERE ${SEEN} AND d.path = ? AND e.name = ?`;
      const columns = this.#database.prepare(sql).get(...seenBy(backup), parent, name);
      return columns === undefined ? null : toRow(columns);
    });
  }

  /** Closes the connection. Idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  *#iterate(where: string, parameters: readonly number[]): Generator<CatalogRow> {
    const rows = this.#run(
      "read",
      () => this.#database.prepare(`${ROWS} ${where}`).iterate(...parameters),
    );
    try {
      for (const columns of rows) yield toRow(columns);
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

function seenBy(backup: CatalogBackup): [number, number, number] {
  return [backup.generation, backup.number, backup.number];
}

function toRow(columns: Columns): CatalogRow {
  return { ...fromColumns(columns), media: numberOf(columns, "media") };
}

function toBackup(columns: Columns): CatalogBackup {
  const backup = textOf(columns, "backup");
  return {
    backup,
    client: textOf(columns, "client"),
    kind: readKind(textOf(columns, "kind")),
    database: nullableText(columns, "database"),
    time: new Date(numberOf(columns, "started_ms")).toISOString(),
    status: textOf(columns, "status") === "ok" ? "ok" : "incomplete",
    files: numberOf(columns, "files"),
    bytes: numberOf(columns, "bytes"),
    channels: {
      network: { bytes: numberOf(columns, "network_bytes") },
      storage: { bytes: numberOf(columns, "storage_bytes") },
    },
    fallback: nullableText(columns, "fallback"),
    paths: readTexts(textOf(columns, "paths")),
    exclude: readTexts(textOf(columns, "exclude")),
    seconds: numberOf(columns, "seconds"),
    mediaBytes: numberOf(columns, "media_bytes"),
    media: `media/${backup}.tar.zst`,
    skipped: readSkipped(textOf(columns, "skipped")),
    skippedCount: numberOf(columns, "skipped_count"),
    number: numberOf(columns, "number"),
    generation: numberOf(columns, "generation"),
  };
}

function nullableText(columns: Columns, key: string): string | null {
  return columns[key] === null ? null : textOf(columns, key);
}

function readKind(text: string): BackupKind {
  return text === "postgresql" || text === "sqlite" || text === "command" ? text : "filesystem";
}

/** What this room wrote as JSON itself; anything else in it is dropped. */
function readTexts(json: string): string[] {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function readSkipped(json: string): Skipped[] {
  const value: unknown = JSON.parse(json);
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: { path?: unknown; reason?: unknown }) =>
    typeof one.path === "string" && typeof one.reason === "string"
      ? [{ path: one.path, reason: one.reason }]
      : []
  );
}
