// Reads a vault from a job's worker thread: restores and verifications. The daemon's main thread
// holds the vault's lock; a reader only needs the directory's path.

import { AgentError } from "../../transport/ground/error.ts";
import { Catalog, DraftTree, REBUILD_HINT } from "../catalog/mod.ts";
import type { CatalogBackup, EntryState, Seen, SourceName } from "../catalog/mod.ts";
import type { Continuation, MediaReader } from "../media/mod.ts";
import type { RestoreRecord } from "../record.ts";
import { compareWalkOrder } from "../walk_order.ts";
import type { BackupRange } from "../wal/backup_range.ts";
import { globBase } from "./glob_base.ts";
import { MediaStore } from "./media_store.ts";
import type { MemberChoice } from "./member_choice.ts";
import { planRestore } from "./restore_plan.ts";
import type { RestorePlan } from "./restore_plan.ts";
import { type OnLost, readRestoreRecords } from "./restore_records.ts";
import { hasExpired, withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";
import { isEncrypted, verifyBackup } from "./verify.ts";
import type { VerifyEvent, VerifyOptions, VerifyReport } from "./verify.ts";

/** A row and where a walk finds it. */
export type ParentRowAt = EntryState & {
  /** Its member is in the cut media file that the backup goes on with. */
  readonly kept: boolean;
};

/** What a tree is read from. */
interface Tree {
  readonly catalog: Catalog;
  readonly seen: Seen;
  readonly paths: readonly string[];
  readonly isKept: (row: Pick<EntryState, "media">) => boolean;
}

export class VaultReader {
  readonly #store: MediaStore;
  readonly #catalog: Catalog;
  /** Backups that must not expire while they are read. */
  readonly #held = new DisposableStack();

  private constructor(store: MediaStore, catalog: Catalog) {
    this.#store = store;
    this.#catalog = catalog;
  }

  /**
   * Opens a vault that `Vault.open` prepared.
   * @throws AgentError `damaged` | `busy` | `failed`
   */
  static open(place: VaultPlace): VaultReader {
    const store = new MediaStore(place);
    const path = `${place.directory}/catalog.sqlite`;
    return withVaultErrors("open vault", place, () => new VaultReader(store, Catalog.open(path)));
  }

  /** Published backups, newest last. */
  backups(): CatalogBackup[] {
    return this.#catalog.backups();
  }

  /** @throws AgentError `not_found` */
  backup(reference: string): CatalogBackup {
    return this.#catalog.backup(reference);
  }

  /** What a backup needs of a write-ahead log; null when that is not known. */
  range(backup: string): BackupRange | null {
    return this.#store.marks.range(backup);
  }

  /**
   * Plans a restore of what the globs match; without globs of everything. The backup is held until
   * the reader is closed: it does not expire meanwhile.
   * @throws AgentError `not_found` | `failed` (a glob matches nothing) | `usage`
   */
  planRestore(reference: string, include: readonly string[]): RestorePlan {
    const backup = this.#hold(reference);
    const catalog = this.#catalog;
    const source = {
      totals: () => catalog.totals(backup),
      rows: (base: Uint8Array) => catalog.rowsWithin(backup, base),
      hardLinks: (base: Uint8Array) => catalog.hardLinks(backup, base),
      rowsInTarOrder: (base: Uint8Array) => catalog.rowsInTarOrder(backup, base),
    };
    return planRestore(source, include);
  }

  /**
   * The latest backup of a source and those that it builds on, the full one first; none when the
   * source was never backed up. The latest one is held until the reader is closed.
   */
  chainOf(source: SourceName): CatalogBackup[] {
    const latest = this.#catalog.latestOf(source);
    return latest === null ? [] : this.#catalog.chain(this.#hold(latest.backup));
  }

  /**
   * The rows that a backup sees, as the client of an incremental one needs them: the source's
   * paths under the directory "", then everything below them by directory, in the order of a walk.
   */
  parentRows(reference: string): Generator<ParentRowAt> {
    const backup = this.#catalog.backup(reference);
    const { paths } = backup;
    return treeRows({ catalog: this.#catalog, seen: backup, paths, isKept: () => false });
  }

  /**
   * The tree that a cut backup would present; the caller closes it.
   * @param parent what the cut backup builds on, null when it is a full one
   * @throws AgentError `no_space` | `damaged` | `failed`
   */
  *draftTree(
    source: SourceName,
    parent: string | null,
    { cut, prefix }: Continuation,
  ): Generator<void, DraftTree> {
    const catalog = this.#catalog;
    const before = parent === null ? [] : catalog.rowsWithin(catalog.backup(parent), globBase([]));
    const { lastPath } = prefix;
    return yield* DraftTree.make({ source, before, pages: cut.pages(prefix), lastPath });
  }

  /** The same as `parentRows` of such a tree. */
  draftRows(draft: DraftTree, paths: readonly string[]): Generator<ParentRowAt> {
    const { catalog, seen } = draft;
    return treeRows({ catalog, seen, paths, isKept: (row) => draft.isKept(row) });
  }

  /**
   * The records of a plan, or of those of its members that are chosen; one frame in memory at a
   * time.
   * @param onLost told of each member that cannot be read; the others are sent
   * @throws AgentError `damaged` when a media file is another one than the catalog knows
   */
  restoreRecords(
    plan: RestorePlan,
    onLost: OnLost,
    choice: MemberChoice | null = null,
  ): Generator<RestoreRecord> {
    const openMedia = (media: number) => this.#openMedia(media);
    return readRestoreRecords(plan, choice, { openMedia, onLost });
  }

  /** The backups whose media files hold what a backup sees. @throws AgentError `not_found` */
  mediaOf(reference: string): string[] {
    const numbers = this.#catalog.mediaOf(this.#catalog.backup(reference));
    return this.#catalog.withExpired().filter((one) => numbers.includes(one.number))
      .map((one) => one.backup);
  }

  /** Is any of the media of a backup encrypted that can be read? @throws AgentError `not_found` */
  isEncrypted(reference: string): boolean {
    return this.mediaOf(reference).some((backup) => isEncrypted(this.#store, backup));
  }

  /** Ids of all backups with a media file: also of expired ones, while others need theirs. */
  everyMedia(): string[] {
    return this.#catalog.withExpired().map(({ backup }) => backup);
  }

  /**
   * Verifies one backup, or by its id what others need of an expired one. Its media file stays
   * meanwhile.
   * @throws AgentError `not_found`
   */
  *verify(
    reference: string,
    options: VerifyOptions,
  ): Generator<VerifyEvent, VerifyReport> {
    const named = this.#withExpired(reference);
    using _held = this.#store.marks.holdMedia(named.backup);
    // As it is now that nobody can remove its media file any more.
    const backup = this.#withExpired(named.backup);
    if (backup.expired && !this.#store.hasMedia(backup.backup)) throw hasExpired(backup.backup);
    const parts = { catalog: this.#catalog, store: this.#store };
    return yield* verifyBackup(parts, backup, options);
  }

  #withExpired(reference: string): CatalogBackup {
    return this.#catalog.withExpired().find((one) => one.backup === reference) ??
      this.#catalog.backup(reference);
  }

  close(): void {
    this.#held.dispose();
    this.#catalog.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @throws AgentError `not_found`, also when the backup has just expired */
  #hold(reference: string): CatalogBackup {
    const backup = this.#catalog.backup(reference);
    const held = this.#store.marks.hold(backup.backup);
    if (held === null) throw hasExpired(backup.backup);
    this.#held.use(held);
    return backup;
  }

  #openMedia(media: number): MediaReader {
    const backup = this.#catalog.withExpired().find((one) => one.number === media);
    if (backup === undefined) {
      throw new AgentError(
        "damaged",
        `Cannot open media of backup number ${media}: not in the catalog, need it`,
        { hint: REBUILD_HINT },
      );
    }
    try {
      return this.#store.open(backup.backup, { framesOnly: true });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const message = `Cannot use the media of backup "${backup.backup}": ${error.message}`;
      throw new AgentError(error.code, message, { hint: error.hint, cause: error.cause });
    }
  }
}

function* treeRows({ catalog, seen, paths, isKept }: Tree): Generator<ParentRowAt> {
  const roots = paths.map((path) => new TextEncoder().encode(path)).sort(compareWalkOrder);
  for (const root of roots) {
    const state = catalog.state(seen, root);
    if (state === null) continue;
    yield { ...state, directory: new Uint8Array(0), name: root, kept: isKept(state) };
  }
  for (const root of roots) {
    for (const state of catalog.statesBelow(seen, root)) yield { ...state, kept: isKept(state) };
  }
}
