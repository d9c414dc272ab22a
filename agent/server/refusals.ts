// Why the server does not take a request, in words. Pure.

import { AgentError } from "../../transport/mod.ts";
import type { ClientEntry } from "../config/mod.ts";
import type { BackupView } from "../control/daemon.ts";

export function unknownClient(name: string, clients: readonly ClientEntry[]): AgentError {
  const known = clients.map((client) => client.name).join(", ");
  return new AgentError(
    "not_found",
    `Cannot find client "${name}": the configuration has ${known || "no clients"}`,
    { hint: "Add it under `clients:` in the server's configuration." },
  );
}

/** A database where files are asked for. */
export function wrongKind(backup: BackupView): AgentError {
  return new AgentError(
    "usage",
    `Cannot restore "${backup.backup}" as files: it holds database "${backup.database}" of ` +
      `"${backup.client}"`,
    {
      hint: `Run on "${backup.client}" \`agent restore ${backup.backup} --database ` +
        `${backup.database}\`.`,
    },
  );
}

/** The catalog is made again while nobody uses it. */
export function rebuildWaits(jobs: number): AgentError {
  return new AgentError(
    "busy",
    `Cannot rebuild the catalog: ${jobs} jobs run or wait, need none`,
    { hint: "Wait for their end, or cancel them." },
  );
}
