// A backup as listings show it. Pure.

import type { BackupView } from "../control/daemon.ts";
import { selectionOf } from "../source_selection.ts";

/** The part of a catalog entry that listings show. */
export function backupView(backup: BackupView): BackupView {
  const { client, kind, database, time, paths, level, status, pinned, drilled } = backup;
  const { files, bytes, channels, fallback } = backup;
  const source = { client, kind, database, time, paths, ...selectionOf(backup) };
  const outcome = { level, status, pinned, drilled, files, bytes, channels, fallback };
  return { backup: backup.backup, ...source, ...outcome };
}
