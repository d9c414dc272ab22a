// The rows of backups in the catalog as values.
//
// Pure.

import type { BackupDetail } from "../control/daemon.ts";
import { drillSchema } from "../control/drill_schema.ts";
import type { Drill } from "../control/drill_view.ts";
import { selectionOf, type SourceSelection } from "../source_selection.ts";
import type { BackupKind, Skipped } from "../media/mod.ts";
import { type Columns, damagedColumn, jsonOf, momentOf, numberOf, textOf } from "./entry_row.ts";

/** A published backup, with its place in the order of publication. */
export interface CatalogBackup extends BackupDetail {
  readonly number: number;
  /** Number of the full backup that its rows belong to. */
  readonly generation: number;
  /** Id of its source: what the same client, kind, paths and selection have in common. */
  readonly source: number;
  readonly skippedCount: number;
  /** Expired: it is listed no more, and there only because others need what its media hold. */
  readonly expired: boolean;
}

/** Names a source: what makes backups build on one another. */
export interface SourceName extends SourceSelection {
  readonly client: string;
  readonly kind: BackupKind;
  readonly database: string | null;
  readonly paths: readonly string[];
}

/** When the newest backups of something were begun, ms since 1970. */
export interface LastBackup extends Pick<SourceName, "client" | "kind" | "database"> {
  readonly newestMs: number;
  /** Of those that are complete; null when none is. */
  readonly completeMs: number | null;
}

/** The source of a backup. */
export function sourceOf(backup: CatalogBackup): SourceName {
  const { client, kind, database, paths } = backup;
  return { client, kind, database, paths, ...selectionOf(backup) };
}

/** A row of `backups`, joined with its parent. */
export function toBackup(columns: Columns): CatalogBackup {
  const backup = textOf(columns, "backup");
  return {
    backup,
    client: textOf(columns, "client"),
    kind: readKind(textOf(columns, "kind")),
    database: nullableText(columns, "database"),
    time: momentOf(columns, "started_ms"),
    status: textOf(columns, "status") === "ok" ? "ok" : "incomplete",
    files: numberOf(columns, "files"),
    bytes: numberOf(columns, "bytes"),
    channels: {
      network: { bytes: numberOf(columns, "network_bytes") },
      storage: { bytes: numberOf(columns, "storage_bytes") },
    },
    fallback: nullableText(columns, "fallback"),
    paths: readTexts(jsonOf(columns, "paths")),
    exclude: readTexts(jsonOf(columns, "exclude")),
    excludeCaches: numberOf(columns, "exclude_caches") === 1,
    oneFileSystem: numberOf(columns, "one_file_system") === 1,
    excludeLargerThan: columns["exclude_larger_than"] === null
      ? null
      : numberOf(columns, "exclude_larger_than"),
    ignoreFile: nullableText(columns, "ignore_file"),
    seconds: numberOf(columns, "seconds"),
    mediaBytes: numberOf(columns, "media_bytes"),
    media: `media/${backup}.tar.zst`,
    skipped: readSkipped(jsonOf(columns, "skipped")),
    skippedCount: numberOf(columns, "skipped_count"),
    number: numberOf(columns, "number"),
    generation: numberOf(columns, "generation"),
    source: numberOf(columns, "source"),
    level: columns["parent"] === null ? "full" : "incremental",
    parent: nullableText(columns, "parent_backup"),
    pinned: numberOf(columns, "pinned") === 1,
    drilled: columns["drill"] === null ? null : readDrill(jsonOf(columns, "drill")),
    expired: numberOf(columns, "expired") === 1,
  };
}

/** A row of the newest backups. */
export function toLastBackup(columns: Columns): LastBackup {
  return {
    client: textOf(columns, "client"),
    kind: readKind(textOf(columns, "kind")),
    database: nullableText(columns, "database"),
    newestMs: numberOf(columns, "newest"),
    completeMs: columns["complete"] === null ? null : numberOf(columns, "complete"),
  };
}

function readDrill(value: unknown): Drill {
  const { success, data } = drillSchema.safeParse(value);
  if (!success) throw damagedColumn("drill", "a drill");
  return data;
}

function nullableText(columns: Columns, key: string): string | null {
  return columns[key] === null ? null : textOf(columns, key);
}

function readKind(text: string): BackupKind {
  return text === "postgresql" || text === "sqlite" || text === "command" ? text : "filesystem";
}

/** Anything else in it is dropped. */
function readTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function readSkipped(value: unknown): Skipped[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: { path?: unknown; reason?: unknown } | null) =>
    typeof one?.path === "string" && typeof one.reason === "string"
      ? [{ path: one.path, reason: one.reason }]
      : []
  );
}
