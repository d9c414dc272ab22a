// The rows and notes of one media file into the intervals of the catalog.
//
// A row opens an interval at this backup and closes the one that was open for its path; a path
// that stops being a directory takes all below it along. A path that occurs twice in a media file
// (a file that changed while it was read was sent again) keeps its last member. A file that goes on
// from a backup that was cut may hold what was gone again when it went on: that is removed.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { IndexNote, IndexRow } from "../entry.ts";
import { walkKey, walkRange } from "../walk_order.ts";
import { DIRECTORY_CODE, numberOf, splitPath, toColumns } from "./entry_row.ts";
import { MAX_DIRECTORY_CACHE } from "./limits.ts";

export interface RowPlace {
  /** Number of the backup. */
  readonly number: number;
  readonly generation: number;
  /** Id of its source. */
  readonly source: number;
  /** Rows may take back earlier ones of the same backup. */
  readonly continued: boolean;
}

const AT = `generation = ? AND directory = ? AND name = ?`;

export class RowImport {
  readonly #place: RowPlace;
  readonly #directories: DirectoryIds;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #close: StatementSync;
  readonly #closeBelow: StatementSync;
  readonly #removeBelow: StatementSync;
  readonly #remove: StatementSync;
  readonly #unsettle: StatementSync;

  /** @param schema the database of the connection that has the tables */
  constructor(database: DatabaseSync, place: RowPlace, schema = "main") {
    this.#place = place;
    this.#directories = new DirectoryIds(database, place.source, schema);
    const entries = `${schema}.entries`;
    this.#insert = database.prepare(`
      INSERT OR REPLACE INTO ${entries} (generation, directory, name, first, "end", type, mode, uid,
        gid, size, mtime_s, mtime_n, ctime_s, ctime_n, inode, target, rdev, media, tar_offset,
        tar_bytes)
      VALUES (?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#select = database.prepare(
      `SELECT first, type FROM ${entries} WHERE ${AT} AND "end" IS NULL`,
    );
    this.#close = database.prepare(`UPDATE ${entries} SET "end" = ? WHERE ${AT} AND "end" IS NULL`);
    const below = `directory IN (
        SELECT id FROM ${schema}.directories WHERE source = ? AND key >= ? AND key < ?
      )`;
    this.#closeBelow = database.prepare(
      `UPDATE ${entries} SET "end" = ? WHERE generation = ? AND "end" IS NULL AND ${below}`,
    );
    this.#removeBelow = database.prepare(
      `DELETE FROM ${entries} WHERE generation = ? AND first = ? AND ${below}`,
    );
    this.#remove = database.prepare(`DELETE FROM ${entries} WHERE ${AT} AND first = ?`);
    this.#unsettle = database.prepare(
      `UPDATE ${entries} SET unsettled = 1 WHERE ${AT} AND first = ?`,
    );
  }

  row(row: IndexRow): void {
    const { number, generation, continued } = this.#place;
    const { parent, name } = splitPath(row.entry.path);
    const directory = this.#directories.id(parent);
    // A full backup starts its generation: nothing is open there.
    if (generation !== number || continued) {
      this.#end(row.entry.path, {
        directory,
        name,
        staysDirectory: row.entry.type === "directory",
      });
    }
    this.#insert.run(generation, directory, name, number, ...toColumns(row, number));
  }

  note({ kind, path }: IndexNote): void {
    const { number, generation } = this.#place;
    const { parent, name } = splitPath(path);
    const directory = this.#directories.id(parent);
    if (kind === "unsettled") {
      this.#unsettle.run(generation, directory, name, number);
    } else {
      this.#end(path, { directory, name, staysDirectory: false });
      this.#remove.run(generation, directory, name, number);
    }
  }

  /** Closes what is open at a path since before this backup, and all below what was a directory. */
  #end(
    path: Uint8Array,
    at: {
      readonly directory: number;
      readonly name: Uint8Array;
      readonly staysDirectory: boolean;
    },
  ): void {
    const { number, generation, source, continued } = this.#place;
    const { directory, name } = at;
    const open = this.#select.get(generation, directory, name);
    if (open === undefined) return;
    const isOwn = numberOf(open, "first") === number;
    if (isOwn && !continued) return;
    if (!isOwn) this.#close.run(number, generation, directory, name);
    if (numberOf(open, "type") !== DIRECTORY_CODE || at.staysDirectory) return;
    const { first, end } = walkRange(path);
    if (continued) this.#removeBelow.run(generation, number, source, first, end);
    this.#closeBelow.run(number, generation, source, first, end);
  }
}

/** Ids of parent paths, remembered: a walk comes back to the same few directories all the time. */
class DirectoryIds {
  readonly #source: number;
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #known = new Map<string, number>();
  // Windows-1252 as the web defines it maps every byte to its own character: a key without loss.
  readonly #decoder = new TextDecoder("latin1");

  constructor(database: DatabaseSync, source: number, schema: string) {
    this.#source = source;
    const directories = `${schema}.directories`;
    this.#select = database.prepare(`SELECT id FROM ${directories} WHERE source = ? AND key = ?`);
    this.#insert = database.prepare(`INSERT INTO ${directories} (source, key) VALUES (?, ?)`);
  }

  id(path: Uint8Array): number {
    const text = this.#decoder.decode(path);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const key = walkKey(path);
    const row = this.#select.get(this.#source, key);
    const id = row === undefined
      ? Number(this.#insert.run(this.#source, key).lastInsertRowid)
      : numberOf(row, "id");
    if (this.#known.size >= MAX_DIRECTORY_CACHE) this.#known.clear();
    this.#known.set(text, id);
    return id;
  }
}
