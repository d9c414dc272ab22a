// Counts what a backup will read, for the progress bar: the same walk, within a limit of time.

import type { Clock } from "../../../transport/runtime/runtime.ts";
import type { Files, FileStat } from "../../../transport/runtime/files.ts";
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
  /** True for content that was not counted before. */
  const count = (stat: FileStat): boolean => {
    totalFiles++;
    if (stat.type !== "file" || links.firstName(stat) !== null) return false;
    totalBytes += Math.min(stat.sizeBytes, stat.blocks512 * 512 || stat.sizeBytes);
    return true;
  };
  const visits = walk({
    files: options.files,
    paths: normalizeSourcePaths(options.paths),
    selection: options,
    onWarning: () => {},
    // Most files: counted without a visit, of which only their path would be new.
    passes: (_depth, _name, stat) => {
      if (stat.linkCount !== 1) return false;
      count(stat);
      return true;
    },
  });
  let looks = 0;
  for (const visit of visits) {
    if (visit !== null && count(visit.stat)) {
      links.add(visit.stat, { path: visit.path, isStored: true });
    }
    const look = visit === null || ++looks % SCAN_CHECK_ENTRIES === 0;
    if (look && options.clock.monotonicMs() > endMs) return { totalFiles: null, totalBytes: null };
  }
  return { totalFiles, totalBytes };
}
