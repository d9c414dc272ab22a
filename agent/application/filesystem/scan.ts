// Counts what a backup will read, for the progress bar: the same walk, within a limit of time.

import type { Clock } from "../../../transport/runtime/runtime.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { SourceSelection } from "../../source_selection.ts";
import { SCAN_CHECK_ENTRIES } from "../limits.ts";
import { HardLinks } from "./hard_links.ts";
import { normalizeSourcePaths } from "./source_paths.ts";
import { walk } from "./walk.ts";

export interface ScanOptions extends SourceSelection {
  readonly files: Files;
  readonly paths: readonly string[];
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Milliseconds after which the count is given up. */
  readonly limitMs: number;
}

/** Entries of every type and content bytes; null for both when the limit passed. */
export interface ScanTotals {
  readonly totalFiles: number | null;
  readonly totalBytes: number | null;
}

/**
 * Counts entries and content bytes (each hard-link set once). Blocks for at most about `limitMs`.
 * @throws AgentError `usage` | `not_found`, as the producer would
 */
export function scanFilesystem(options: ScanOptions): ScanTotals {
  const endMs = options.clock.monotonicMs() + options.limitMs;
  const links = new HardLinks();
  let totalFiles = 0;
  let totalBytes = 0;
  const visits = walk({
    files: options.files,
    paths: normalizeSourcePaths(options.paths),
    selection: options,
    onWarning: () => {},
  });
  for (const visit of visits) {
    if (visit === null) continue;
    const { path, stat } = visit;
    totalFiles++;
    if (stat.type === "file" && links.firstName(stat) === null) {
      totalBytes += Math.min(stat.sizeBytes, stat.blocks512 * 512 || stat.sizeBytes);
      links.add(stat, { path, isStored: true });
    }
    const look = totalFiles % SCAN_CHECK_ENTRIES === 0;
    if (look && options.clock.monotonicMs() > endMs) return { totalFiles: null, totalBytes: null };
  }
  return { totalFiles, totalBytes };
}
