// The long-term store: a directory with media files and the catalog that says what is in them.
//
//   vault/lock              locked by the daemon for as long as it lives; dies with it
//   vault/publish.lock      locked while one job publishes
//   vault/catalog.sqlite    what is published (-wal and -shm beside it)
//   vault/media/            the media files (media_store.ts)
//
// What `open` finds after a crash, and what becomes of it:
//  - a partial media file was never finished: it is removed;
//  - a media file that the catalog does not know was finished and durable when its publication was
//    cut off: it is adopted, that is, published now. When it does not read as a finished file it
//    is none of ours or damaged: it is left alone and reported, for a backup is never deleted
//    because it cannot be read. Without a catalog this makes the same one again, from the media;
//  - the catalog itself rolls back what was not committed.
//
// The main thread owns the Vault; jobs write by VaultWriter and read by VaultReader.

import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD } from "../../transport/runtime/files.ts";
import type { Clock, Random } from "../../transport/runtime/runtime.ts";
import { Catalog } from "../catalog/mod.ts";
import type { CatalogBackup } from "../catalog/mod.ts";
import type { ListedEntry } from "../control/daemon.ts";
import { backupId, ID_RANDOM_BYTES } from "./backup_id.ts";
import { makeDirectory, MediaStore } from "./media_store.ts";
import { withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

export interface VaultOptions extends VaultPlace {
  readonly clock: Pick<Clock, "wallMs">;
  readonly random: Random;
}

/** What `open` had to put right, for the log. */
export interface VaultRecovery {
  readonly removedPartial: readonly string[];
  readonly adopted: readonly string[];
  /** Media files that are not in the catalog and could not be read. */
  readonly unreadable: readonly { readonly backup: string; readonly error: AgentError }[];
}

export class Vault {
  readonly #options: VaultOptions;
  readonly #lock: number;
  readonly #catalog: Catalog;
  #closed = false;
  readonly recovery: VaultRecovery;

  private constructor(options: VaultOptions, lock: number) {
    this.#options = options;
    this.#lock = lock;
    const store = new MediaStore(options);
    store.create();
    this.#catalog = Catalog.open(`${options.directory}/catalog.sqlite`);
    try {
      this.recovery = recover(store, this.#catalog);
    } catch (error) {
      this.#catalog.close();
      throw error;
    }
  }

  /**
   * Takes the vault for this process, creates what is missing and cleans up after a crash.
   * @throws AgentError `busy` (another daemon has it) | `no_space` | `failed` | `damaged`
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

  /** An id for a backup of `client` that begins now. */
  newBackupId(client: string): string {
    const { clock, random } = this.#options;
    return backupId(clock.wallMs(), { client, random: random.bytes(ID_RANDOM_BYTES) });
  }

  /** Published backups, newest last. */
  backups(): CatalogBackup[] {
    return this.#catalog.backups();
  }

  /**
   * The backup that an id, a unique prefix, `latest` or `latest:NAME` names.
   * @throws AgentError `not_found`
   */
  backup(reference: string): CatalogBackup {
    return this.#catalog.backup(reference);
  }

  /**
   * Immediate children of `path`, the object itself, or without a path the roots of the backup.
   * @throws AgentError `not_found`
   */
  list(reference: string, path: string | null): ListedEntry[] {
    return this.#catalog.list(reference, path);
  }

  /** Gives the vault back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#catalog.close();
    this.#options.files.close(this.#lock);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function recover(store: MediaStore, catalog: Catalog): VaultRecovery {
  const { complete, partial } = store.list();
  for (const backup of partial) store.removePartial(backup);
  const known = new Set(catalog.backups().map((one) => one.backup));
  const orphans: { backup: string; number: number }[] = [];
  const unreadable: { backup: string; error: AgentError }[] = [];
  for (const backup of complete.filter((one) => !known.has(one))) {
    attempt(backup, () => {
      using media = store.open(backup);
      if (media.label.backup !== backup) throw misnamed(backup, media.label.backup);
      orphans.push({ backup, number: media.trailer.number });
    });
  }
  const adopted: string[] = [];
  for (const { backup } of orphans.sort((a, b) => a.number - b.number)) {
    attempt(backup, () => {
      using media = store.open(backup);
      catalog.import(media);
      adopted.push(backup);
    });
  }
  return { removedPartial: partial, adopted, unreadable };

  function attempt(backup: string, body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "damaged")) throw error;
      unreadable.push({ backup, error });
    }
  }
}

function misnamed(file: string, label: string): AgentError {
  return new AgentError("damaged", `Cannot adopt media "${file}": its label says "${label}"`, {
    hint: "Give the file the name that its label says.",
  });
}

function taken(directory: string): AgentError {
  const message = `Cannot open vault "${directory}": a live process has it, need it alone`;
  return new AgentError("busy", message, {
    hint: "Stop the other agent --role server, or give this one its own vault.",
  });
}
