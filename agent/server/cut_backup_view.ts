// What the control endpoint tells of backups that were cut.

import type { CutBackupView } from "../control/daemon.ts";
import type { CutBackup } from "../vault/mod.ts";

export function cutBackupViews(cuts: readonly CutBackup[]): CutBackupView[] {
  return cuts.map(({ label: { client, paths, startedMs }, mediaBytes }) => {
    return { client, paths, time: new Date(startedMs).toISOString(), mediaBytes };
  });
}
