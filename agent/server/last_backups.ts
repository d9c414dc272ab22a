// How old the newest backup of each client and database is, for status and metrics. Pure.

import type { LastBackup } from "../catalog/mod.ts";
import type { LastBackupView } from "../control/schedule_view.ts";

/** @param clients names of the configuration: those without any backup are named, too */
export function lastBackupViews(
  last: readonly LastBackup[],
  { clients, nowMs }: { readonly clients: readonly string[]; readonly nowMs: number },
): LastBackupView[] {
  const known = new Set(last.map(({ client }) => client));
  const without = clients.filter((client) => !known.has(client)).map((client) => ({
    client,
    kind: null,
    database: null,
    lastBackup: null,
    lastSuccess: null,
    lastSuccessAgeSeconds: null,
  }));
  const found = last.map(({ client, kind, database, newestMs, completeMs }) => ({
    client,
    kind,
    database,
    lastBackup: new Date(newestMs).toISOString(),
    lastSuccess: completeMs === null ? null : new Date(completeMs).toISOString(),
    lastSuccessAgeSeconds: completeMs === null
      ? null
      : Math.max(0, Math.round((nowMs - completeMs) / 1000)),
  }));
  return [...found, ...without];
}
