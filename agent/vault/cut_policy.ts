// What becomes of backups that were cut. Pure.
//
// One is kept for each source, the latest. The next backup of the source goes on with it, when it
// has the same level and parent: then what it holds counts from the same state. It is given up when
// a backup of its source was published since, and after some days.
//
// An encrypted one is of no use: the server cannot tell for whom its frames are encrypted, and one
// file whose frames need different keys would look whole to who has the newer key only.

import { sourceKey, type SourceName } from "../catalog/mod.ts";
import type { BackupStart, MediaLabel } from "../media/mod.ts";
import { MAX_CUT_AGE_MS } from "./limits.ts";

/** A cut backup as its file says. */
export interface CutBackup {
  /** Stem of its file's name. */
  readonly backup: string;
  readonly label: MediaLabel;
  readonly mediaBytes: number;
}

/** What a backup that begins is like. */
export type NextBackup = Omit<BackupStart, "backup" | "startedMs">;

/** The cut backup that the next one goes on with, null when none fits. */
export function chooseCut(cuts: readonly CutBackup[], next: NextBackup): CutBackup | null {
  const fitting = cuts.filter(({ label }) =>
    isUsable(label) && isSameSource(label, next) && label.level === next.level &&
    label.needs.at(-1) === next.needs.at(-1)
  );
  return fitting.sort(latestFirst)[0] ?? null;
}

/**
 * The cut backups that nobody will go on with.
 * @param published of each backup what it is of and when it began, in ms since 1970
 */
export function uselessCuts(
  cuts: readonly CutBackup[],
  known: {
    readonly published: readonly { readonly source: SourceName; readonly startedMs: number }[];
    readonly nowMs: number;
  },
): CutBackup[] {
  const latest = new Set<string>();
  return [...cuts].sort(latestFirst).filter(({ label }) => {
    const { key } = sourceKey(label);
    const isSuperseded = latest.has(key);
    latest.add(key);
    return isSuperseded || !isUsable(label) ||
      known.nowMs - label.startedMs > MAX_CUT_AGE_MS ||
      known.published.some((one) =>
        one.startedMs >= label.startedMs && isSameSource(one.source, label)
      );
  });
}

/** Is it of a kind that is ever gone on with? */
export function isUsable({ kind, encryption }: MediaLabel): boolean {
  return kind === "filesystem" && encryption === null;
}

export function isSameSource(a: SourceName, b: SourceName): boolean {
  return sourceKey(a).key === sourceKey(b).key;
}

function latestFirst(a: CutBackup, b: CutBackup): number {
  return b.label.startedMs - a.label.startedMs || (a.backup < b.backup ? 1 : -1);
}
