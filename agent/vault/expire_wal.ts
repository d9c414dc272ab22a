// The part of an expiry that concerns archived logs: what no kept backup needs goes, oldest first,
// after the backups themselves have expired for good. It needs no space. What a crash leaves, the
// next expiry removes.

import { isUnneeded, WalArchive, walNeed } from "../wal/mod.ts";
import type { ArchivedFile, KeptBackup, WalOwner } from "../wal/mod.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { ExpiryItem } from "./expiry_plan.ts";
import { STEP_ROWS } from "./limits.ts";
import type { MediaStore } from "./media_store.ts";
import { withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

/** What an expiry does, or would do, with one archive. */
export interface WalExpiry extends WalOwner {
  readonly system: string;
  /** Files that go, and their bytes as they are stored. */
  readonly files: number;
  readonly bytes: number;
  /** What stays, and why. */
  readonly why: string;
}

interface WalExpiryOptions {
  readonly items: readonly ExpiryItem[];
  readonly dryRun: boolean;
}

/** @throws AgentError `failed` */
export function* expireWal(
  place: VaultPlace,
  store: MediaStore,
  { items, dryRun }: WalExpiryOptions,
): Generator<void, readonly WalExpiry[]> {
  const unlisted = unlistedBackups(place, store, items);
  const done: WalExpiry[] = [];
  for (const owner of WalArchive.owners(place)) {
    const kept = items.filter(({ fact, action }) =>
      action === "keep" && fact.kind === "postgresql" && fact.client === owner.client &&
      fact.database === owner.database
    ).map(({ fact }) => ({ backup: fact.backup, range: rangeOf(store, fact.backup) }));
    for (const system of WalArchive.systems({ ...place, ...owner })) {
      const archive = WalArchive.open({ ...place, ...owner, system });
      const gone = yield* expireArchive(archive, [...kept, ...unlisted], { system, dryRun });
      done.push({ ...owner, system, ...gone });
    }
  }
  return done;
}

function* expireArchive(
  archive: WalArchive,
  kept: readonly KeptBackup[],
  { system, dryRun }: { readonly system: string; readonly dryRun: boolean },
): Generator<void, Pick<WalExpiry, "files" | "bytes" | "why">> {
  const need = walNeed(kept, system);
  if ("everything" in need) return { files: 0, bytes: 0, why: need.everything };
  const gone: ArchivedFile[] = [];
  let looked = 0;
  for (const one of archive.list()) {
    if (isUnneeded(one.file, need)) gone.push(one);
    if (++looked % STEP_ROWS === 0) yield;
  }
  if (!dryRun) yield* archive.remove(gone);
  return {
    files: gone.length,
    bytes: gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    why: `${need.backup} needs ${need.firstSegment}`,
  };
}

/**
 * Backups that say what they need and that the catalog does not know: they are about to be
 * published, or their media cannot be read now.
 */
function unlistedBackups(
  place: VaultPlace,
  store: MediaStore,
  items: readonly ExpiryItem[],
): KeptBackup[] {
  const { complete, partial, ranged, expired } = withVaultErrors(
    "list media",
    place,
    () => store.list(),
  );
  const listed = new Set([...items.map(({ fact }) => fact.backup), ...expired]);
  const there = new Set([...complete, ...partial]);
  return ranged.filter((backup) => there.has(backup) && !listed.has(backup))
    .map((backup) => ({ backup, range: rangeOf(store, backup) }));
}

/** Null when it does not say it, or nobody can read that: then everything stays. */
function rangeOf(store: MediaStore, backup: string): KeptBackup["range"] {
  try {
    return store.marks.range(backup);
  } catch (error) {
    if (error instanceof AgentError && error.code === "damaged") return null;
    throw error;
  }
}
