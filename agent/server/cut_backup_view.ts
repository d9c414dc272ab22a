// What the control endpoint tells of a backup that was cut.

import type { CutBackupView } from "../control/daemon.ts";
import type { CutBackup } from "../vault/mod.ts";

export function toCutView({ label, mediaBytes }: CutBackup): CutBackupView {
  const { client, paths, startedMs } = label;
  return { client, paths, time: new Date(startedMs).toISOString(), mediaBytes };
}
