// The long-term store: a directory with media files and the catalog that says what is in them.
//
//   vault/lock              locked by the daemon for as long as it lives; dies with it
//   vault/publish.lock      locked while one job publishes
//   vault/catalog.sqlite    what is published (-wal and -shm beside it)
//   vault/expire.lock       locked while one job expires backups
//   vault/drill/            what drills restore while they run (scratch.ts)
//   vault/reserve           space that is given up when the disk is full (reserve.ts)
//   vault/media/            the media files (media_store.ts) and marks beside them
//
// What `open` finds after a crash, and what becomes of it:
//  - a partial media file was never finished: it stays for the next backup of its source to go on
//    with (cut_policy.ts), or is removed when it is of no use;
//  - a media file that the catalog does not know was finished and durable when its publication was
//    cut off: it is adopted, that is, published now. When it does not read as a finished file, or
//    cannot be read at all, it is left alone and reported, for a backup is never deleted because
//    it cannot be read. Without a catalog this makes the same one again, from the media;
//  - the catalog itself rolls back what was not committed;
//  - marks of expired and pinned backups that the catalog does not have are brought into it, and of
//    expired backups whose media file is gone the rows are removed (vault_expirer.ts);
//  - what a rebuild of the catalog or a mark was written to before it got its name is removed.
// A catalog that is damaged leaves the vault open but useless until it was made again from the
// media: every call throws why (`requireSound`), as while it is being made.
//
// The main thread owns the Vault; jobs write by VaultWriter and read by VaultReader.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD } from "../../transport/runtime/files.ts";
import type { Clock, Random } from "../../transport/runtime/runtime.ts";
import { Catalog, sourceOf } from "../catalog/mod.ts";
import type { CatalogBackup, LastBackup } from "../catalog/mod.ts";
import type { ChangedEntry, FoundEntry, ListedEntry } from "../control/daemon.ts";
import { applyMarks } from "./apply_marks.ts";
import { backupId, ID_RANDOM_BYTES } from "./backup_id.ts";
import { adoptMedia } from "./adopt_media.ts";
import { CutBackups } from "./cut_backups.ts";
import { type CutBackup, isUsable, uselessCuts } from "./cut_policy.ts";
import { diffBackups } from "./diff_backups.ts";
import { findEntries } from "./find_entries.ts";
import { makeDirectory, MediaStore } from "./media_store.ts";
import { removeFreshCatalog } from "./rebuild_catalog.ts";
import { Reserve } from "./reserve.ts";
import { Scratch, scratchOf } from "./scratch.ts";
import { hasExpired, isFull, withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

export interface VaultOptions extends VaultPlace {
  readonly clock: Pick<Clock, "wallMs">;
  readonly random: Random;
}

/** What `open` had to put right, for the log. */
export interface VaultRecovery {
  readonly removedPartial: readonly string[];
  /** Unfinished media that the next backup of their source goes on with. */
  readonly keptPartial: readonly string[];
  readonly adopted: readonly string[];
  /** Media files that are not in the catalog: they, or what they build on, cannot be read. */
  readonly unreadable: readonly { readonly backup: string; readonly error: AgentError }[];
}

const NOTHING: VaultRecovery = {
  removedPartial: [],
  keptPartial: [],
  adopted: [],
  unreadable: [],
};

export class Vault {
  readonly #options: VaultOptions;
  readonly #lock: number;
  readonly #store: MediaStore;
  readonly #cuts: CutBackups;
  #catalog: Catalog | null = null;
  #trouble: AgentError | null = null;
  /** While the catalog is made again: does that still go on? */
  #isRebuilding: (() => boolean) | null = null;
  #closed = false;
  readonly recovery: VaultRecovery;

  private constructor(options: VaultOptions, lock: number) {
    this.#options = options;
    this.#lock = lock;
    this.#store = new MediaStore(options);
    this.#store.create();
    this.#store.removeFreshMarks();
    removeFreshCatalog(options);
    this.#cuts = new CutBackups(options, this.#store);
    this.recovery = this.#open((catalog) => this.#recover(catalog)) ?? NOTHING;
    new Reserve(options).restore(options.random);
    Scratch.removeLeftovers(options.files, scratchOf(options.directory));
  }

  /**
   * Takes the vault for this process, creates what is missing and cleans up after a crash.
   * @throws AgentError `busy` (another daemon has it) | `no_space` | `failed`
   */
  static open(options: VaultOptions): Vault {
    const { files, directory } = options;
    return withVaultErrors(`open vault "${directory}"`, options, () => {
      makeDirectory(files, directory);
      const lock = files.open(AT_CWD, `${directory}/lock`, {
        access: "read-write",
        create: true,
        mode: 0o600,
      });
      try {
        if (!files.lock(lock, "exclusive", { wait: false })) throw taken(directory);
        return new Vault(options, lock);
      } catch (error) {
        files.close(lock);
        throw error;
      }
    });
  }

  /** Why the vault cannot be used, null when it can. */
  get trouble(): AgentError | null {
    if (this.#isRebuilding?.() === false) this.#endRebuild();
    return this.#trouble;
  }

  /** @throws AgentError `damaged` | `busy` when the catalog cannot be used */
  requireSound(): void {
    if (this.trouble !== null) throw this.trouble;
  }

  /**
   * Gives the catalog up to a job that makes it again.
   * @param isRunning says whether that job goes on; the catalog is opened again after it
   */
  giveUpCatalog(isRunning: () => boolean): void {
    this.#catalog?.close();
    this.#catalog = null;
    this.#isRebuilding = isRunning;
    this.#trouble = new AgentError(
      "busy",
      "Cannot use the vault: its catalog is being made again from the media, need it whole",
      { hint: "Wait for the end of the job; `agent jobs` shows it." },
    );
  }

  /** An id for a backup of `client` that begins now. */
  newBackupId(client: string): string {
    const { clock, random } = this.#options;
    return backupId(clock.wallMs(), { client, random: random.bytes(ID_RANDOM_BYTES) });
  }

  /** Published backups, newest last. */
  backups(): CatalogBackup[] {
    return this.#use((catalog) => catalog.backups());
  }

  /** The newest backup of each client's files and of each database, and the newest complete one. */
  lastBackups(): LastBackup[] {
    return this.#use((catalog) => catalog.lastBackups());
  }

  /**
   * The backup that an id, a unique prefix, `latest` or `latest:NAME` names.
   * @throws AgentError `not_found`
   */
  backup(reference: string): CatalogBackup {
    return this.#use((catalog) => catalog.backup(reference));
  }

  /**
   * Immediate children of `path`, the object itself, or without a path the roots of the backup.
   * @throws AgentError `not_found`
   */
  list(reference: string, path: string | Uint8Array | null): ListedEntry[] {
    return this.#use((catalog) => catalog.list(reference, path));
  }

  /** What matches a glob in any backup; null lets others run. @throws AgentError `failed` */
  find(glob: string): Generator<FoundEntry | null> {
    return this.#use((catalog) => findEntries(catalog, glob));
  }

  /** How two backups differ; null lets others run. @throws AgentError `not_found` */
  diff(before: string, after: string): Generator<ChangedEntry | null> {
    return this.#use((catalog) =>
      diffBackups(catalog, { before: catalog.backup(before), after: catalog.backup(after) })
    );
  }

  /** Backups that were cut, for the next one of their source. @throws AgentError `failed` */
  cutBackups(): CutBackup[] {
    const usable = () => this.#cuts.list().filter(({ label }) => isUsable(label));
    return withVaultErrors("list cut backups", this.#options, usable);
  }

  /** Removes cut backups that nobody will go on with; on a full disk all of them. */
  giveUpCuts(): void {
    const body = () => this.#use((catalog) => this.#giveUpCuts(catalog));
    withVaultErrors("remove cut backups", this.#options, body);
  }

  /**
   * Keeps a backup for ever, or lets retention decide about it again. Durable when it returns.
   * @throws AgentError `not_found` | `no_space` | `failed`
   */
  pin(reference: string, pinned: boolean): CatalogBackup {
    const doing = `pin backup "${reference}"`;
    const { marks } = this.#store;
    return withVaultErrors(doing, this.#options, () =>
      this.#use((catalog) => {
        const { backup } = catalog.backup(reference);
        using held = marks.hold(backup);
        if (held === null) throw hasExpired(backup);
        if (pinned) marks.set(backup, "pinned");
        else marks.remove(backup, "pinned");
        this.#store.sync();
        catalog.setPinned(backup, pinned);
        return catalog.backup(backup);
      }));
  }

  /** Gives the vault back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#catalog?.close();
    this.#options.files.close(this.#lock);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #recover(catalog: Catalog): VaultRecovery {
    const store = this.#store;
    const { complete, partial } = store.list();
    const known = new Set(catalog.withExpired().map((one) => one.backup));
    const adopted: string[] = [];
    const unreadable: { backup: string; error: AgentError }[] = [];
    const unknown = complete.filter((one) => !known.has(one));
    for (const { backup, error } of adoptMedia(store, catalog, unknown)) {
      if (error === null) adopted.push(backup);
      else unreadable.push({ backup, error });
    }
    applyMarks(store, catalog);
    this.#giveUpCuts(catalog);
    // Nobody writes while the vault is opened: what cannot be read now never will be.
    const kept = this.#cuts.list().map(({ backup }) => backup);
    const removed = partial.filter((backup) => !kept.includes(backup));
    for (const backup of removed) store.removePartial(backup);
    return { removedPartial: removed, keptPartial: kept, adopted, unreadable };
  }

  #giveUpCuts(catalog: Catalog): void {
    const published = catalog.backups().map((backup) => ({
      source: sourceOf(backup),
      startedMs: Date.parse(backup.time),
    }));
    const nowMs = this.#options.clock.wallMs();
    const useless = isFull(this.#options)
      ? this.#cuts.list()
      : uselessCuts(this.#cuts.list(), { published, nowMs });
    const ids = new Set(useless.map(({ backup }) => backup));
    this.#cuts.remove(({ backup }) => ids.has(backup));
  }

  /** When the disk is too full to open the catalog, that is the trouble until there is space. */
  #endRebuild(): void {
    this.#trouble = null;
    try {
      this.#open((catalog) => catalog.backups());
      this.#isRebuilding = null;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#trouble = error;
    }
  }

  /** Opens the catalog and uses it; a damaged one is this vault's trouble from then on. */
  #open<T>(body: (catalog: Catalog) => T): T | null {
    let catalog: Catalog | null = null;
    try {
      catalog = openCatalog(this.#options);
      const result = body(catalog);
      this.#catalog = catalog;
      return result;
    } catch (error) {
      catalog?.close();
      if (!(error instanceof AgentError) || error.code !== "damaged") throw error;
      this.#trouble = error;
      return null;
    }
  }

  #use<T>(body: (catalog: Catalog) => T): T {
    this.requireSound();
    assert(this.#catalog !== null, "a vault without trouble has its catalog");
    try {
      return body(this.#catalog);
    } catch (error) {
      if (error instanceof AgentError && error.code === "damaged") this.#trouble = error;
      throw error;
    }
  }
}

/** On a full disk with the space of the reserve: SQLite needs some to open. */
function openCatalog(place: VaultPlace): Catalog {
  const path = `${place.directory}/catalog.sqlite`;
  return new Reserve(place).use(
    () => withVaultErrors("open catalog", place, () => Catalog.open(path)),
    (error) => error instanceof AgentError && error.code === "no_space",
  );
}

function taken(directory: string): AgentError {
  const message = `Cannot open vault "${directory}": a live process has it, need it alone`;
  return new AgentError("busy", message, {
    hint: "Stop the other agent --role server, or give this one its own vault.",
  });
}
