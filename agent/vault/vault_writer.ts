// Writes backups into a vault from a job's worker thread. The daemon's main thread holds the
// vault's lock (vault.ts); a writer only needs the directory's path.
//
// Publication, in this order; a crash after any step leaves the state before or after, never half:
//  1. trailer and seek table written, file fsynced        (a partial file: a cut backup)
//  2. file renamed to its final name, directory fsynced   (an orphan: adopted at next start)
//  3. one catalog transaction imports the file's own rows (published); those of a full backup were
//     taken as they came and are copied (catalog/early_rows.ts)
// Publications take turns by a lock on `publish.lock`, so that the number in the trailer is the
// order of publication; the lock dies with its holder.
//
// A backup that is cut leaves its partial file: one of the same source goes on with it
// (cut_policy.ts), in the same file under its own name. On a full disk such files go first.

import { assert } from "../../transport/ground/assert.ts";
import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import { ancestorsOf, Catalog } from "../catalog/mod.ts";
import type { CatalogBackup, EarlyRows } from "../catalog/mod.ts";
import type { IndexNote } from "../entry.ts";
import { decodeIndexRows, encodeIndexRows, MediaWriter } from "../media/mod.ts";
import type { BackupResult, BackupStart, Continuation } from "../media/mod.ts";
import type { DataRecord } from "../record.ts";
import type { BackupRange } from "../wal/backup_range.ts";
import { CutBackups } from "./cut_backups.ts";
import { isSameSource } from "./cut_policy.ts";
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
    const media = this.#attempt(meta, () => new MediaWriter(this.#mediaOptions(meta)));
    return new BackupWriter({ place: this.#place, catalog: this.#catalog, media, meta });
  }

  /**
   * Begins a backup with what a cut one has: its first record is the one after that.
   * @param named the cut one
   * @returns null when its file cannot be used; it is gone then
   * @throws AgentError `no_space` | `failed`
   */
  goOn(named: string, from: Continuation, meta: BackupMeta): BackupWriter | null {
    const store = new MediaStore(this.#place);
    const media = this.#attempt(meta, () => {
      store.handOver(named, meta.backup);
      const made = MediaWriter.goOn(this.#mediaOptions(meta), from);
      if (made === null) store.removePartial(meta.backup);
      return made;
    });
    if (media === null) return null;
    const parts = { place: this.#place, catalog: this.#catalog, media, meta };
    return new BackupWriter(parts, from.prefix.lastPath);
  }

  close(): void {
    this.#catalog.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mediaOptions(label: BackupMeta) {
    const store = new MediaStore(this.#place);
    const path = store.partialPath(label.backup);
    const makeRoom = () => new CutBackups(this.#place, store).remove(() => true).length > 0;
    return { files: this.#place.files, path, label, makeRoom };
  }

  #attempt<T>({ backup }: BackupMeta, body: () => T): T {
    return withVaultErrors(`begin backup "${backup}"`, this.#place, body);
  }
}

/** What a backup is written with. */
interface WriterParts {
  readonly place: VaultPlace;
  readonly catalog: Catalog;
  readonly media: MediaWriter;
  readonly meta: BackupMeta;
}

/** One backup on its way into the vault. Ends with `publish`, `keep` or `abort`. */
export class BackupWriter {
  readonly #place: VaultPlace;
  readonly #store: MediaStore;
  readonly #catalog: Catalog;
  readonly #media: MediaWriter;
  readonly #meta: BackupMeta;
  readonly #backup: string;
  /** The rows of a full backup that begins from nothing. */
  readonly #early: EarlyRows | null;
  /** Records of the cut backup that this one goes on with. */
  readonly #before: number;
  /** What the next record says of directories that the cut backup did not finish. */
  #undone: readonly IndexNote[];
  #ended = false;

  /** @param cutAt path of the last member of the cut backup that this one goes on with */
  constructor({ place, catalog, media, meta }: WriterParts, cutAt: Uint8Array = new Uint8Array(0)) {
    this.#place = place;
    this.#store = new MediaStore(place);
    this.#catalog = catalog;
    this.#media = media;
    this.#meta = meta;
    this.#backup = meta.backup;
    this.#before = media.nextSequence;
    const isWhole = meta.needs.length === 0 && this.#before === 0;
    this.#early = isWhole ? catalog.takeEarly() : null;
    this.#undone = [...ancestorsOf(cutAt)].map((path) => ({ kind: "unsettled", path }));
  }

  /** Sequence of the record that `append` takes next: they count from 0 in any case. */
  get nextSequence(): number {
    return this.#media.nextSequence - this.#before;
  }

  /** Last record that is durable, -1 before the first. */
  get syncedSequence(): number {
    return Math.max(-1, this.#media.syncedSequence - this.#before);
  }

  /** Tar bytes of the media file so far. */
  get tarBytes(): number {
    return this.#media.tarBytes;
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
    this.#attempt("write", () => {
      const { rows } = this.#undone.length === 0 ? record : this.#withUndone(record);
      this.#media.append({ ...record, sequence: record.sequence + this.#before, rows });
      this.#early?.add(record);
      this.#undone = [];
    });
  }

  /**
   * Makes everything appended durable. After an error the backup is aborted.
   * @returns the last durable sequence, -1 when there is none
   * @throws AgentError `no_space` | `failed`
   */
  sync(): number {
    this.#attempt("sync", () => this.#media.sync());
    return this.syncedSequence;
  }

  /**
   * Publishes the backup. After an error nothing is published and nothing is left behind.
   * @throws AgentError `no_space` | `failed` | `damaged` | `busy`
   */
  publish(result: BackupResult, range: BackupRange | null = null): CatalogBackup {
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
        if (range !== null) this.#store.marks.setRange(this.#backup, range);
        this.#makeVisible();
      } finally {
        files.close(lock);
      }
      this.#end();
      this.#giveUpCuts();
      return this.#catalog.backup(this.#backup);
    });
  }

  /**
   * Leaves what is there of a file system for the next backup of its source, instead of those that
   * were cut before. Removes what is of no use. Idempotent; does nothing once it is published.
   */
  keep(): void {
    if (this.#ended) return;
    if (this.#meta.kind !== "filesystem" || !this.#media.isWorthKeeping) return this.abort();
    this.#end();
    try {
      this.#media.keep();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error; // What is in the file already counts.
    }
    this.#giveUpCuts();
  }

  /** Removes what was written. Idempotent; does nothing once the backup is published. */
  abort(): void {
    if (this.#ended) return;
    this.#end();
    this.#media.abort();
  }

  [Symbol.dispose](): void {
    this.keep();
  }

  #end(): void {
    this.#ended = true;
    this.#early?.[Symbol.dispose]();
  }

  /** Those of the same source: another one has taken their place. */
  #giveUpCuts(): void {
    const { backup } = this.#meta;
    try {
      new CutBackups(this.#place, this.#store)
        .remove((cut) => cut.backup !== backup && isSameSource(cut.label, this.#meta));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error; // The next start removes them.
    }
  }

  /** A directory that is in the record itself is stored again with it. */
  #withUndone(record: DataRecord): Pick<DataRecord, "rows"> {
    const { rows, notes } = decodeIndexRows(record.rows);
    const stored = new Set(rows.map(({ entry }) => entry.path.toBase64()));
    const undone = this.#undone.filter(({ path }) => !stored.has(path.toBase64()));
    return { rows: encodeIndexRows(rows, [...notes, ...undone]) };
  }

  /** Steps 2 and 3; when one fails the file goes, unless the backup is visible after all. */
  #makeVisible(): void {
    try {
      this.#store.rename(this.#backup);
      using media = this.#store.open(this.#backup);
      this.#catalog.import(media, this.#early);
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
