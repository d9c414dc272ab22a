// `agent diff`: what was added, removed and changed between two backups, and how it changed.
//
// Both are read in the order of a walk, side by side. Of one line of backups only the rows that
// one of the two does not see are read.

import type { Catalog, CatalogBackup, CatalogRow } from "../catalog/mod.ts";
import { splitPath, toListed } from "../catalog/mod.ts";
import type { ChangedEntry, ChangeReason } from "../control/daemon.ts";
import type { Entry } from "../entry.ts";
import { entryDifferences } from "../entry_difference.ts";
import { compareWalkOrder } from "../walk_order.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { MAX_DIFFERENCES, STEP_ROWS } from "./limits.ts";

interface Pair {
  readonly before: CatalogBackup;
  readonly after: CatalogBackup;
}

/**
 * Yields the differences; null lets others run.
 * @throws AgentError `failed` when there are too many
 */
export function* diffBackups(
  catalog: Catalog,
  pair: Pair,
): Generator<ChangedEntry | null> {
  let count = 0;
  for (const difference of compareRows(catalog, pair)) {
    if (difference !== null && ++count > MAX_DIFFERENCES) {
      const message = `Cannot list the differences: more than ${MAX_DIFFERENCES}, need fewer`;
      throw new AgentError("failed", message, { hint: "Compare backups that are closer." });
    }
    yield difference;
  }
}

function* compareRows(
  catalog: Catalog,
  { before, after }: Pair,
): Generator<ChangedEntry | null> {
  const old = catalog.rowsInWalkOrder(before, after);
  const recent = catalog.rowsInWalkOrder(after, before);
  try {
    let left = old.next();
    let right = recent.next();
    for (let looked = 1; left.done !== true || right.done !== true; looked++) {
      if (looked % STEP_ROWS === 0) yield null;
      const order = left.done === true
        ? 1
        : right.done === true
        ? -1
        : compare(left.value, right.value);
      if (order < 0 && left.done !== true) yield change("removed", left.value.entry, []);
      if (order > 0 && right.done !== true) yield change("added", right.value.entry, []);
      if (order === 0 && left.done !== true && right.done !== true) {
        const reasons = reasonsOf(left.value.entry, right.value.entry);
        if (reasons.length > 0) yield change("changed", right.value.entry, reasons);
      }
      if (order <= 0) left = old.next();
      if (order >= 0) right = recent.next();
    }
  } finally {
    old.return(undefined);
    recent.return(undefined);
  }
}

/** Rows come by directory, then by name. */
function compare(a: CatalogRow, b: CatalogRow): number {
  const [left, right] = [splitPath(a.entry.path), splitPath(b.entry.path)];
  return compareWalkOrder(left.parent, right.parent) || compareWalkOrder(left.name, right.name);
}

function change(kind: ChangedEntry["change"], entry: Entry, reasons: ChangeReason[]): ChangedEntry {
  const { path, pathBase64, type, bytes } = toListed(entry);
  return { change: kind, path, pathBase64, type, bytes, reasons };
}

/** How an object differs; the inode's own change time counts when nothing else does. */
function reasonsOf(before: Entry, after: Entry): ChangeReason[] {
  const reasons = entryDifferences(before, after);
  if (reasons.length > 0) return reasons;
  if (before.inode !== after.inode) return ["inode"];
  return before.ctimeNs === after.ctimeNs ? [] : ["ctime"];
}
