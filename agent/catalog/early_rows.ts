// The rows of a full backup while it is received: they go to a temporary database beside the
// catalog, so that publication copies them instead of reading the media file's index.
// SQLite keeps it in a file of its own, which is gone when it is closed or its process dies.
//
// Invariant: what is copied is what the import of the finished media file would have made. So rows
// pass the same checks and the same `RowImport`; and what cannot be taken for any reason makes all
// of it void: then the media file is imported as it is.

import type { DatabaseSync } from "node:sqlite";
import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { type MediaReader, readFrameRows } from "../media/mod.ts";
import type { DataRecord } from "../record.ts";
import { EARLY_CACHE_KIB } from "./limits.ts";
import { RowImport } from "./row_import.ts";
import { createTables, inTransaction } from "./schema.ts";
import { catalogError } from "./sqlite_error.ts";

/** Source and number of the one backup that is there. */
const ONLY = 1;
const PLACE = { source: ONLY, number: ONLY, generation: ONLY, continued: false } as const;

/** What publication knows of the backup. */
export interface PublishedPlace {
  /** Id of its source. */
  readonly source: number;
  readonly number: number;
}

export class EarlyRows implements Disposable {
  readonly #database: DatabaseSync;
  /** The name under which the temporary database is attached; null when all is void. */
  #schema: string | null;
  readonly #import: RowImport;
  #rows = 0;
  #tarBytes = 0;
  /** Where the last member ends. */
  #lastEnd = 0;

  /**
   * @param schema a name that no other one of the connection has
   * @throws AgentError `no_space` | `failed`
   */
  constructor(database: DatabaseSync, schema: string) {
    this.#database = database;
    this.#schema = schema;
    try {
      database.exec(`
        ATTACH '' AS ${schema};
        PRAGMA ${schema}.journal_mode = OFF;
        PRAGMA ${schema}.synchronous = OFF;
        PRAGMA ${schema}.cache_size = -${EARLY_CACHE_KIB};
      `);
      createTables(database, schema);
      database.exec(`
        INSERT INTO ${schema}.sources (id, key, client, kind, paths, exclude, exclude_caches,
          one_file_system) VALUES (${ONLY}, '', '', '', '', '', 0, 0)
      `);
      this.#import = new RowImport(database, PLACE, schema);
    } catch (error) {
      throw catalogError(error, "attach a temporary database");
    }
  }

  /** The rows of the next record. */
  add({ rows, rowCount, tarBytes }: Pick<DataRecord, "rows" | "rowCount" | "tarBytes">): void {
    if (this.#schema === null) return;
    try {
      const page = readFrameRows(rows, { rowCount, tarOffset: this.#tarBytes, tarBytes });
      inTransaction(this.#database, () => {
        for (const row of page.rows) this.#import.row(row);
        for (const note of page.notes) this.#import.note(note);
      }, "DEFERRED");
      this.#lastEnd = Math.max(this.#lastEnd, page.tarEnd);
      this.#rows += rowCount;
      this.#tarBytes += tarBytes;
    } catch (error) {
      this[Symbol.dispose]();
      const thrown = catalogError(error, "take rows early");
      // The import from the media file will say what is wrong, or find that nothing is.
      if (!(thrown instanceof AgentError)) throw thrown;
    }
  }

  /** Are these the rows of the finished file? */
  isOf({ tarBytes, trailer }: MediaReader): boolean {
    return this.#schema !== null && this.#tarBytes === tarBytes && this.#rows === trailer.rows &&
      this.#lastEnd <= tarBytes;
  }

  /** Copies all to where a full backup belongs, inside the caller's transaction. */
  publish({ source, number }: PublishedPlace): void {
    const from = this.#schema;
    assert(from !== null, "void rows are not published");
    // A generation of its own, in which nothing is open.
    this.#database.prepare(`
      INSERT INTO main.directories (source, key)
      SELECT ?, key FROM ${from}.directories WHERE true ORDER BY id ON CONFLICT DO NOTHING
    `).run(source);
    this.#database.prepare(`
      INSERT INTO main.entries (generation, directory, name, first, "end", type, mode, uid, gid,
        size, mtime_s, mtime_n, ctime_s, ctime_n, inode, target, rdev, media, tar_offset,
        tar_bytes, unsettled)
      SELECT ?1, d.id, e.name, ?1, NULL, e.type, e.mode, e.uid, e.gid, e.size, e.mtime_s,
        e.mtime_n, e.ctime_s, e.ctime_n, e.inode, e.target, e.rdev, ?1, e.tar_offset, e.tar_bytes,
        e.unsettled
      FROM ${from}.directories o
      CROSS JOIN main.directories d ON d.source = ?2 AND d.key = o.key
      CROSS JOIN ${from}.entries e ON e.generation = ${ONLY} AND e.directory = o.id
    `).run(number, source);
  }

  [Symbol.dispose](): void {
    const schema = this.#schema;
    this.#schema = null;
    if (schema === null) return;
    try {
      this.#database.exec(`DETACH ${schema}`);
    } catch {
      // It goes with the connection.
    }
  }
}
