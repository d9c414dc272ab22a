// Makes one media file known: its backup and all its rows, in one transaction. Publication, the
// adoption of a media file after a crash, and a new catalog for an old vault all come here, so
// that the new one is the same.
//
// A path that occurs twice in a media file (a file that changed while it was read was sent again)
// keeps its last member.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AgentError } from "../../transport/ground/error.ts";
import type { MediaLabel, MediaReader } from "../media/mod.ts";
import { numberOf, splitPath, toColumns } from "./entry_row.ts";
import { MAX_DIRECTORY_CACHE } from "./limits.ts";
import { inTransaction } from "./schema.ts";

export interface ImportOptions {
  /** Place in the order of publication; the trailer's own when it is free. */
  readonly number: number;
}

/**
 * Imports one media file; afterwards its backup is published.
 * @throws AgentError `damaged` (nothing is imported)
 */
export function importMedia(
  database: DatabaseSync,
  media: MediaReader,
  options: ImportOptions,
): void {
  inTransaction(database, () => {
    const source = sourceId(database, media.label);
    insertBackup(database, media, { source, number: options.number });
    const rows = insertRows(database, media, options);
    if (rows !== media.trailer.rows) {
      throw new AgentError(
        "damaged",
        `Cannot import backup "${media.label.backup}": ${rows} rows, need ${media.trailer.rows}`,
        { hint: "Run `agent verify` for the backup." },
      );
    }
  });
}

/** The key of a source: the same client, kind, database, path set and excludes. */
function sourceId(database: DatabaseSync, label: MediaLabel): number {
  const paths = JSON.stringify([...label.paths].sort());
  const exclude = JSON.stringify([...label.exclude].sort());
  const key = JSON.stringify([label.client, label.kind, label.database, paths, exclude]);
  const found = database.prepare("SELECT id FROM sources WHERE key = ?").get(key);
  if (found !== undefined) return numberOf(found, "id");
  const insert = database.prepare(
    "INSERT INTO sources (key, client, kind, database, paths, exclude) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const { client, kind } = label;
  return Number(insert.run(key, client, kind, label.database, paths, exclude).lastInsertRowid);
}

function insertBackup(
  database: DatabaseSync,
  media: MediaReader,
  place: { readonly source: number; readonly number: number },
): void {
  const { label, trailer } = media;
  database.prepare(`
    INSERT INTO backups (number, backup, source, generation, started_ms, status, files, bytes,
      seconds, network_bytes, storage_bytes, fallback, skipped_count, skipped, media_bytes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
    place.number,
    label.backup,
    place.source,
    // A full backup starts its own generation, which closes every row of its source.
    place.number,
    label.startedMs,
    trailer.status,
    trailer.files,
    trailer.bytes,
    trailer.seconds,
    trailer.channels.network.bytes,
    trailer.channels.storage.bytes,
    trailer.fallback,
    trailer.skippedCount,
    JSON.stringify(trailer.skipped),
    media.sizeBytes,
  );
}

/** @returns how many rows the media hold */
function insertRows(database: DatabaseSync, media: MediaReader, options: ImportOptions): number {
  const insert = database.prepare(`
    INSERT OR REPLACE INTO entries (generation, directory, name, first, "end", type, mode, uid,
      gid, size, mtime_s, mtime_n, ctime_s, ctime_n, inode, target, rdev, media, tar_offset,
      tar_bytes)
    VALUES (?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const directories = new DirectoryIds(database);
  const { number } = options;
  let count = 0;
  for (let group = 0; group < media.groupCount; group++) {
    for (const row of media.groupRows(group)) {
      const { parent, name } = splitPath(row.entry.path);
      insert.run(number, directories.id(parent), name, number, ...toColumns(row, number));
      count++;
    }
  }
  return count;
}

/** Ids of parent paths, remembered: a walk comes back to the same few directories all the time. */
class DirectoryIds {
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #known = new Map<string, number>();
  // Windows-1252 as the web defines it maps every byte to its own character: a key without loss.
  readonly #decoder = new TextDecoder("latin1");

  constructor(database: DatabaseSync) {
    this.#select = database.prepare("SELECT id FROM directories WHERE path = ?");
    this.#insert = database.prepare("INSERT INTO directories (path) VALUES (?)");
  }

  id(path: Uint8Array): number {
    const key = this.#decoder.decode(path);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const row = this.#select.get(path);
    const id = row === undefined
      ? Number(this.#insert.run(path).lastInsertRowid)
      : numberOf(row, "id");
    if (this.#known.size >= MAX_DIRECTORY_CACHE) this.#known.clear();
    this.#known.set(key, id);
    return id;
  }
}
