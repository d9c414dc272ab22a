// What a job backs up, as a name: jobs of one source go one after the other. Pure.

import { normalizeSourcePaths } from "../application/mod.ts";
import type { JobRequest } from "../control/daemon.ts";
import { canonicalSelection } from "../source_selection.ts";

/**
 * The source of a request; null when it backs up nothing.
 * @throws AgentError `usage` for paths that cannot be a source
 */
export function sourceOfRequest(request: JobRequest): string | null {
  if (request.kind === "backup-database") return JSON.stringify(["database", request.database]);
  if (request.kind !== "backup-filesystem") return null;
  const { client, paths } = request;
  const selection = canonicalSelection(request);
  return JSON.stringify(["filesystem", client, normalizeSourcePaths(paths), selection]);
}

/** Of two backups of one source: is what `other` asks for as good as `request`? */
export function isAsFull(other: JobRequest, request: JobRequest): boolean {
  return isFull(other) || !isFull(request);
}

function isFull(request: JobRequest): boolean {
  return request.kind === "backup-filesystem" && request.full;
}
