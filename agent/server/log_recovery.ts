// Tells the operator what the vault had to put right when it was opened.

import type { DaemonParts } from "../daemon_parts.ts";
import type { VaultRecovery } from "../vault/mod.ts";

export function logRecovery(recovery: VaultRecovery, log: DaemonParts["log"]): void {
  for (const backup of recovery.removedPartial) {
    log("warning", `removed the unfinished media of "${backup}", cut off by a crash`);
  }
  for (const backup of recovery.keptPartial) {
    log("info", `kept the unfinished media of "${backup}": the next backup goes on with it`);
  }
  for (const backup of recovery.adopted) {
    log("warning", `published "${backup}", whose media was complete when a crash cut it off`);
  }
  for (const { backup, error } of recovery.unreadable) {
    log("error", `media "${backup}" is not in the catalog and cannot be read: ${error.message}`);
  }
}
