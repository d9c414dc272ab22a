// How much each archive has, and how old its newest segment is, for who looks every few seconds.
//
// A folder that has not changed since it was counted is not counted again: its modification time
// changes with each file that comes or goes. The newest folder of an archive, to which files come,
// always is: a time has steps. So a look costs a `stat` for each 4 GiB of log, and one for each
// file of the last 4 GiB; the first one, a `stat` for each file, lets others run in between.

import type { VaultPlace } from "../vault/vault_error.ts";
import { ArchiveDirectory } from "./archive_directory.ts";
import { LIST_STEP_FILES } from "./limits.ts";
import { WalArchive } from "./wal_archive.ts";
import type { WalOwner } from "./wal_archive.ts";
import { parseWalFileName } from "./wal_file_name.ts";

export interface ArchiveCount extends WalOwner {
  readonly system: string;
  readonly files: number;
  /** As they are stored. */
  readonly bytes: number;
  /** Names of the first segment and of the last one of the newest timeline. */
  readonly first: string | null;
  readonly last: string | null;
  /** When the newest segment was archived, by the server's clock; null without one. */
  readonly newestMs: number | null;
}

type Count = Omit<ArchiveCount, keyof WalOwner | "system">;

/** What a folder had when it last changed. */
interface FolderCount {
  readonly mtimeNs: bigint;
  readonly count: Count;
}

const NOTHING: Count = { files: 0, bytes: 0, first: null, last: null, newestMs: null };
const SUFFIX = ".zst";

export class WalCensus {
  readonly #place: VaultPlace;
  #folders = new Map<string, FolderCount>();

  constructor(place: VaultPlace) {
    this.#place = place;
  }

  /** Counts; yields where others may run. @throws AgentError | SystemError `failed` */
  *count(): Generator<void, readonly ArchiveCount[]> {
    const before = this.#folders;
    this.#folders = new Map();
    const counts: ArchiveCount[] = [];
    for (const owner of WalArchive.owners(this.#place)) {
      for (const system of WalArchive.systems({ ...this.#place, ...owner })) {
        counts.push({ ...owner, system, ...yield* this.#archive({ ...owner, system }, before) });
        yield;
      }
    }
    return counts;
  }

  *#archive(
    { client, database, system }: WalOwner & { readonly system: string },
    before: ReadonlyMap<string, FolderCount>,
  ): Generator<void, Count> {
    const { files, directory } = this.#place;
    const archive = new ArchiveDirectory(files, directory, ["wal", client, database, system]);
    const top = archive.top();
    let sum = yield* countFiles(archive, null, top.files);
    for (const folder of top.folders) {
      const key = `${client}/${database}/${system}/${folder}`;
      const mtimeNs = archive.stat({ folder: null, name: folder })?.mtimeNs;
      if (mtimeNs === undefined) continue; // An expiry has just removed it.
      const known = before.get(key);
      const count = known?.mtimeNs === mtimeNs && folder !== top.folders.at(-1)
        ? known.count
        : yield* countFiles(archive, folder, archive.filesIn(folder));
      this.#folders.set(key, { mtimeNs, count });
      sum = joined(sum, count);
    }
    return sum;
  }
}

function* countFiles(
  archive: ArchiveDirectory,
  folder: string | null,
  names: readonly string[],
): Generator<void, Count> {
  let count = NOTHING;
  let looked = 0;
  for (const name of names) {
    if (++looked % LIST_STEP_FILES === 0) yield;
    const file = parseWalFileName(name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : "");
    const found = file === null ? null : archive.stat({ folder, name });
    if (file === null || found === null) continue;
    const segment = file.type === "segment" ? file.name : null;
    count = joined(count, {
      files: 1,
      bytes: found.sizeBytes,
      first: segment,
      last: segment,
      newestMs: segment === null ? null : Number(found.mtimeNs / 1_000_000n),
    });
  }
  return count;
}

/** @param after what comes after it in the order of names */
function joined(before: Count, after: Count): Count {
  return {
    files: before.files + after.files,
    bytes: before.bytes + after.bytes,
    first: before.first ?? after.first,
    last: after.last ?? before.last,
    newestMs: after.newestMs === null
      ? before.newestMs
      : Math.max(after.newestMs, before.newestMs ?? after.newestMs),
  };
}
