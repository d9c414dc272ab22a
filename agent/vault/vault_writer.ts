// Writes backups into a vault from a job's worker thread. The daemon's main thread holds the
// vault's lock (vault.ts); a writer only needs the directory's path.
//
// Publication, in this order; a crash after any step leaves the state before or after, never half:
//  1. trailer and seek table written, file fsynced        (a partial file: removed at next start)
//  2. file renamed to its final name, directory fsynced   (an orphan: adopted at next start)
//  3. one catalog transaction imports the file's own rows (published)
// Publications take turns by a lock on `publish.lock`, so that the number in the trailer is the
// order of publication; the lock dies with its holder.

import { assert } from "../../transport/ground/assert.ts";
import { AT_CWD } from "../../transport/runtime/files.ts";
import { Catalog } from "../catalog/mod.ts";
import type { CatalogBackup } from "../catalog/mod.ts";
import { MediaWriter } from "../media/mod.ts";
import type { BackupResult, BackupStart } from "../media/mod.ts";
import type { DataRecord } from "../record.ts";
import { MediaStore } from "./media_store.ts";
import { vaultError, withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

/** What is known of a backup when it begins. */
export type BackupMeta = BackupStart;

export class VaultWriter {
  readonly #place: VaultPlace;
  readonly #catalog: Catalog;

  private constructor(place: VaultPlace, catalog: Catalog) {
    this.#place = place;
    this.#catalog = catalog;
  }

  /**
   * Opens a vault that `Vault.open` prepared.
   * @throws AgentError `damaged` | `no_space` | `busy` | `failed`
   */
  static open(place: VaultPlace): VaultWriter {
    const path = `${place.directory}/catalog.sqlite`;
    return withVaultErrors("open vault", place, () => new VaultWriter(place, Catalog.open(path)));
  }

  /**
   * Begins a backup: a partial media file.
   * @throws AgentError `no_space` | `failed`
   */
  begin(meta: BackupMeta): BackupWriter {
    return new BackupWriter(this.#place, this.#catalog, meta);
  }

  close(): void {
    this.#catalog.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** One backup on its way into the vault. Ends with `publish` or `abort`. */
export class BackupWriter {
  readonly #place: VaultPlace;
  readonly #store: MediaStore;
  readonly #catalog: Catalog;
  readonly #media: MediaWriter;
  readonly #backup: string;
  #ended = false;

  constructor(place: VaultPlace, catalog: Catalog, meta: BackupMeta) {
    this.#place = place;
    this.#store = new MediaStore(place);
    this.#catalog = catalog;
    this.#backup = meta.backup;
    const path = this.#store.partialPath(meta.backup);
    this.#media = withVaultErrors(
      `begin backup "${meta.backup}"`,
      place,
      () => new MediaWriter({ files: place.files, path, label: meta }),
    );
  }

  /** Sequence of the record that `append` takes next. */
  get nextSequence(): number {
    return this.#media.nextSequence;
  }

  /** Last record that is durable, -1 before the first. */
  get syncedSequence(): number {
    return this.#media.syncedSequence;
  }

  /** Bytes of the media file so far. */
  get mediaBytes(): number {
    return this.#media.mediaBytes;
  }

  /**
   * Writes one record. After an error the backup is aborted.
   * @throws AgentError `no_space` | `failed` | `damaged`
   */
  append(record: DataRecord): void {
    this.#attempt("write", () => this.#media.append(record));
  }

  /**
   * Makes everything appended durable. After an error the backup is aborted.
   * @returns the last durable sequence, -1 when there is none
   * @throws AgentError `no_space` | `failed`
   */
  sync(): number {
    return this.#attempt("sync", () => this.#media.sync());
  }

  /**
   * Publishes the backup. After an error nothing is published and nothing is left behind.
   * @throws AgentError `no_space` | `failed` | `damaged` | `busy`
   */
  publish(result: BackupResult): CatalogBackup {
    return this.#attempt("publish", () => {
      const { files, directory } = this.#place;
      const lock = files.open(AT_CWD, `${directory}/publish.lock`, {
        access: "read-write",
        create: true,
        mode: 0o600,
      });
      try {
        files.lock(lock, "exclusive", { wait: true });
        this.#media.finish(result, this.#catalog.nextNumber());
        this.#makeVisible();
      } finally {
        files.close(lock);
      }
      this.#ended = true;
      return this.#catalog.backup(this.#backup);
    });
  }

  /** Removes what was written. Idempotent; does nothing once the backup is published. */
  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#media.abort();
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  /** Steps 2 and 3; when one fails the file goes, unless the backup is visible after all. */
  #makeVisible(): void {
    try {
      this.#store.rename(this.#backup);
      using media = this.#store.open(this.#backup);
      this.#catalog.import(media);
    } catch (error) {
      // When even this question fails the file stays: the next start adopts it.
      if (this.#catalog.backups().some((one) => one.backup === this.#backup)) return;
      this.#store.removeIfThere(this.#backup);
      throw error;
    }
  }

  #attempt<T>(doing: string, body: () => T): T {
    assert(!this.#ended, `a backup that ended is not used to ${doing}`);
    try {
      return body();
    } catch (error) {
      this.abort();
      throw vaultError(error, `${doing} backup "${this.#backup}"`, this.#place);
    }
  }
}
