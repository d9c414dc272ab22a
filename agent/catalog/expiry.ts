// The catalog's side of an expiry. A backup first is marked: it is listed no more, its rows stay,
// for others may see what its media file holds. When the file is gone, its rows go in pieces, and
// at last the backup itself; a crash in between leaves a marked backup that is taken up again.

import type { DatabaseSync } from "node:sqlite";
import type { Drill } from "../control/drill_view.ts";
import { EXPIRY_STEP_ROWS } from "./limits.ts";
import { inTransaction } from "./schema.ts";

/** A backup of the catalog as its rows name it. */
export interface Retired {
  readonly backup: string;
  readonly number: number;
  readonly generation: number;
  readonly source: number;
}

/** Marks backups as expired, in one transaction that changes few pages. */
export function markExpired(database: DatabaseSync, backups: readonly string[]): void {
  if (backups.length === 0) return;
  inTransaction(database, () => {
    const mark = database.prepare("UPDATE backups SET expired = 1 WHERE backup = ?");
    for (const backup of backups) mark.run(backup);
  });
}

export function setPinned(database: DatabaseSync, backup: string, pinned: boolean): void {
  database.prepare("UPDATE backups SET pinned = ? WHERE backup = ?").run(pinned ? 1 : 0, backup);
}

/** Says how the last drill of a backup went. */
export function setDrill(database: DatabaseSync, backup: string, drill: Drill | null): void {
  const text = drill === null ? null : JSON.stringify(drill);
  database.prepare("UPDATE backups SET drill = ? WHERE backup = ?").run(text, backup);
}

/** Removes a backup whose media file is gone, in pieces: yields after each transaction. */
export function* forget(database: DatabaseSync, backup: Retired): Generator<void> {
  const { generation, number } = backup;
  const rows = database.prepare(`
    DELETE FROM entries WHERE (generation, directory, name, first) IN
      (SELECT generation, directory, name, first FROM entries
        WHERE generation = ? AND media = ? LIMIT ${EXPIRY_STEP_ROWS})`);
  while (inTransaction(database, () => Number(rows.run(generation, number).changes)) > 0) yield;
  inTransaction(database, () => {
    database.prepare("DELETE FROM backups WHERE number = ?").run(number);
    const left = database.prepare("SELECT 1 FROM backups WHERE generation = ?").get(generation);
    if (left === undefined) forgetDirectories(database, backup.source);
  });
}

/** Directories of a source of which no generation holds anything any more. */
function forgetDirectories(database: DatabaseSync, source: number): void {
  database.prepare(`
    DELETE FROM directories WHERE source = ? AND NOT EXISTS
      (SELECT 1 FROM entries e WHERE e.directory = directories.id AND e.generation IN
        (SELECT DISTINCT generation FROM backups WHERE source = ?))`).run(source, source);
}
