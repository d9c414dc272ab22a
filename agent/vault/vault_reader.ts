// Reads a vault from a job's worker thread: restores and verifications. The daemon's main thread
// holds the vault's lock; a reader only needs the directory's path.

import { AgentError } from "../../transport/ground/error.ts";
import { Catalog, REBUILD_HINT } from "../catalog/mod.ts";
import type { CatalogBackup } from "../catalog/mod.ts";
import type { MediaReader } from "../media/mod.ts";
import type { RestoreRecord } from "../record.ts";
import { MediaStore } from "./media_store.ts";
import { planRestore } from "./restore_plan.ts";
import type { RestorePlan } from "./restore_plan.ts";
import { readRestoreRecords } from "./restore_records.ts";
import { withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";
import { verifyBackup } from "./verify.ts";
import type { VerifyEvent, VerifyReport } from "./verify.ts";

export class VaultReader {
  readonly #store: MediaStore;
  readonly #catalog: Catalog;

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

  /**
   * Plans a restore of what the globs match; without globs of everything.
   * @throws AgentError `not_found` | `failed` (a glob matches nothing) | `usage`
   */
  planRestore(reference: string, include: readonly string[]): RestorePlan {
    const backup = this.#catalog.backup(reference);
    const catalog = this.#catalog;
    const source = {
      rows: () => catalog.rows(backup),
      hardLinks: () => catalog.hardLinks(backup),
      rowsInTarOrder: () => catalog.rowsInTarOrder(backup),
    };
    return planRestore(source, include);
  }

  /** The records of a plan, one frame in memory at a time. @throws AgentError `damaged` */
  restoreRecords(plan: RestorePlan): Generator<RestoreRecord> {
    return readRestoreRecords(plan, (media) => this.#openMedia(media));
  }

  /** Verifies one backup. @throws AgentError `not_found` */
  verify(
    reference: string,
    options: { readonly data: boolean },
  ): Generator<VerifyEvent, VerifyReport> {
    const parts = { catalog: this.#catalog, store: this.#store };
    return verifyBackup(parts, this.#catalog.backup(reference), options);
  }

  close(): void {
    this.#catalog.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #openMedia(media: number): MediaReader {
    const backup = this.#catalog.backups().find((one) => one.number === media);
    if (backup === undefined) {
      throw new AgentError(
        "damaged",
        `Cannot open media of backup number ${media}: not in the catalog, need it`,
        { hint: REBUILD_HINT },
      );
    }
    return this.#store.open(backup.backup);
  }
}
