// Makes one media file known: its backup and all its rows, in one transaction. Publication, the
// adoption of a media file after a crash, and a new catalog for an old vault all come here, so
// that the new one is the same.
//
// The rows of an incremental backup belong to the generation of its parent, which must be the last
// of it: changes are counted from there. What the media do not mention stays as it is.

import type { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../transport/ground/error.ts";
import type { MediaLabel, MediaReader } from "../media/mod.ts";
import { canonicalSelection } from "../source_selection.ts";
import type { SourceName } from "./backup_row.ts";
import type { EarlyRows } from "./early_rows.ts";
import { numberOf } from "./entry_row.ts";
import { RowImport } from "./row_import.ts";
import { inTransaction } from "./schema.ts";

export interface ImportOptions {
  /** Place in the order of publication; the trailer's own when it is free. */
  readonly number: number;
  /** Its rows, when they were taken while it was written. */
  readonly early: EarlyRows | null;
}

/** Where a backup belongs. */
interface Place extends Pick<ImportOptions, "number"> {
  readonly source: number;
  readonly generation: number;
  /** Number of the parent, null for a full backup. */
  readonly parent: number | null;
}

/**
 * Imports one media file; afterwards its backup is published.
 * @throws AgentError `damaged` (also when the parent is not there), `busy` when another backup
 * builds on the same parent; nothing is imported
 */
export function importMedia(
  database: DatabaseSync,
  media: MediaReader,
  options: ImportOptions,
): void {
  inTransaction(database, () => {
    const source = sourceId(database, media.label);
    const { number, early } = options;
    // A full backup starts its own generation, which closes every row of its source.
    const line = findLine(database, media.label, source) ?? { generation: number, parent: null };
    insertBackup(database, media, { source, number, ...line });
    const continued = media.label.continued === true;
    const { generation } = line;
    if (early?.isOf(media) === true && generation === number) {
      early.publish({ source, number });
      return;
    }
    const into = new RowImport(database, { source, number, generation, continued });
    let rows = 0;
    for (let group = 0; group < media.groupCount; group++) {
      for (const page of media.groupPages(group)) {
        for (const row of page.rows) into.row(row);
        for (const note of page.notes) into.note(note);
        rows += page.rows.length;
      }
    }
    if (rows !== media.trailer.rows) {
      throw new AgentError(
        "damaged",
        `Cannot import backup "${media.label.backup}": ${rows} rows, need ${media.trailer.rows}`,
        { hint: "Run `agent verify` for the backup." },
      );
    }
  });
}

/** The generation that an incremental backup goes on with; null for a full one. */
function findLine(
  database: DatabaseSync,
  label: MediaLabel,
  source: number,
): { readonly generation: number; readonly parent: number } | null {
  const parent = label.needs.at(-1);
  if (parent === undefined) return null;
  const found = database.prepare(
    "SELECT number, source, generation FROM backups WHERE backup = ?",
  ).get(parent);
  if (found === undefined || numberOf(found, "source") !== source) {
    throw new AgentError(
      "damaged",
      `Cannot import backup "${label.backup}": its parent "${parent}" is not in the catalog, ` +
        "need it",
      { hint: "Put the parent's media file back and run `agent catalog rebuild`." },
    );
  }
  const generation = numberOf(found, "generation");
  const last = database.prepare(
    "SELECT MAX(number) AS last FROM backups WHERE generation = ?",
  ).get(generation) ?? {};
  if (numberOf(last, "last") !== numberOf(found, "number")) {
    throw new AgentError(
      "busy",
      `Cannot publish backup "${label.backup}": another one was published on top of "${parent}"`,
      { hint: "Run the backup again." },
    );
  }
  return { generation, parent: numberOf(found, "number") };
}

/** What the same client, kind, database, path set and selection have in common. */
export function sourceKey(label: SourceName) {
  const { client, kind, database } = label;
  const paths = JSON.stringify([...label.paths].sort());
  const { exclude, ...rest } = canonicalSelection(label);
  const selection = { exclude: JSON.stringify(exclude), ...rest };
  const key = JSON.stringify([client, kind, database, paths, ...Object.values(selection)]);
  return { key, paths, selection };
}

export function sourceId(database: DatabaseSync, label: SourceName): number {
  const { key, paths, selection } = sourceKey(label);
  const found = database.prepare("SELECT id FROM sources WHERE key = ?").get(key);
  if (found !== undefined) return numberOf(found, "id");
  const insert = database.prepare(`
    INSERT INTO sources (key, client, kind, database, paths, exclude, exclude_caches,
      one_file_system, exclude_larger_than, ignore_file) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const inserted = insert.run(
    key,
    label.client,
    label.kind,
    label.database,
    paths,
    selection.exclude,
    Number(selection.excludeCaches),
    Number(selection.oneFileSystem),
    selection.excludeLargerThan,
    selection.ignoreFile,
  );
  return Number(inserted.lastInsertRowid);
}

function insertBackup(database: DatabaseSync, media: MediaReader, place: Place): void {
  const { label, trailer } = media;
  database.prepare(`
    INSERT INTO backups (number, backup, source, generation, parent, started_ms, status, files,
      bytes, seconds, network_bytes, storage_bytes, fallback, skipped_count, skipped, media_bytes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
    place.number,
    label.backup,
    place.source,
    place.generation,
    place.parent,
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
