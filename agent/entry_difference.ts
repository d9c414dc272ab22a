// How an object differs from another of the same path, by what the catalog keeps of it. Pure.

import { equalBytes } from "../transport/ground/equal_bytes.ts";
import type { ChangeReason } from "./control/daemon.ts";
import type { Entry } from "./entry.ts";

/** Everything but the inode and its own change time, which a restore cannot give back. */
export function entryDifferences(before: Entry, after: Entry): ChangeReason[] {
  const reasons: ChangeReason[] = [];
  if (before.type !== after.type) reasons.push("type");
  if (before.sizeBytes !== after.sizeBytes) reasons.push("size");
  if (before.mtimeNs !== after.mtimeNs) reasons.push("mtime");
  if (before.mode !== after.mode) reasons.push("mode");
  if (before.uid !== after.uid || before.gid !== after.gid) reasons.push("owner");
  if (!sameTarget(before, after)) reasons.push("target");
  if (before.rdev?.major !== after.rdev?.major || before.rdev?.minor !== after.rdev?.minor) {
    reasons.push("device");
  }
  return reasons;
}

function sameTarget(a: Entry, b: Entry): boolean {
  if (a.target === null || b.target === null) return a.target === b.target;
  return equalBytes(a.target, b.target);
}
