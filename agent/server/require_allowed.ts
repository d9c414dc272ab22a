// Whether this server's configuration lets its operators ask a thing of a client. Pure.

import { normalizeSourcePaths } from "../application/mod.ts";
import type { ClientEntry } from "../config/mod.ts";
import { requireBackupAllowed, requireRestoreAllowed } from "../confinement.ts";
import type { JobRequest } from "../control/daemon.ts";

type FilesystemRequest = Extract<
  JobRequest,
  { kind: "backup-filesystem" | "restore-filesystem" }
>;

/** @throws AgentError `auth` */
export function requireAllowed({ allow }: ClientEntry, request: FilesystemRequest): void {
  if (request.kind === "restore-filesystem") {
    requireRestoreAllowed(allow, request, "the server's");
  } else requireBackupAllowed(allow, normalizeSourcePaths(request.paths), "the server's");
}
