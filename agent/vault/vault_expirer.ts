// Carries out expiries on a job's worker thread, while other jobs back up, restore and verify.
//
// Order; a crash after any step leaves a sound vault, and the next start or expiry goes on:
//  1. each backup that expires gets its mark (backup_marks.ts); directory fsynced: decided
//  2. the catalog marks them, too: they are listed no more (else the next start does that)
//  3. media files that no kept backup needs are removed, newest first, so that none is there
//     without those it builds on; directory fsynced: the space is free
//  4. their rows go from the catalog, then their marks
//  5. the log that no kept backup needs goes from the archives (expire_wal.ts)
// On a full disk step 2 may fail also with the reserve given up; then it follows step 3, which
// needs no space. Expiries take turns by a lock on `expire.lock`, which dies with its holder.

import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD } from "../../transport/runtime/files.ts";
import type { Random } from "../../transport/runtime/runtime.ts";
import { Catalog } from "../catalog/mod.ts";
import type { CatalogBackup } from "../catalog/mod.ts";
import type { RetentionConfig } from "../config/mod.ts";
import { expireWal } from "./expire_wal.ts";
import type { WalExpiry } from "./expire_wal.ts";
import { planExpiry } from "./expiry_plan.ts";
import { IN_USE } from "./retention_policy.ts";
import type { ExpiryFact, ExpiryItem } from "./expiry_plan.ts";
import { MediaStore } from "./media_store.ts";
import { Reserve } from "./reserve.ts";
import { vaultError, withVaultErrors } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

export interface ExpirerPlace extends VaultPlace {
  readonly random: Random;
}

export class VaultExpirer {
  readonly #place: ExpirerPlace;
  readonly #store: MediaStore;
  readonly #reserve: Reserve;
  readonly #catalog: Catalog;
  readonly #lock: number;
  #closed = false;

  private constructor(place: ExpirerPlace, lock: number) {
    this.#place = place;
    this.#lock = lock;
    this.#store = new MediaStore(place);
    this.#reserve = new Reserve(place);
    this.#catalog = this.#reserved(
      "open vault",
      () => Catalog.open(`${place.directory}/catalog.sqlite`),
    );
  }

  /**
   * Opens a vault that `Vault.open` prepared, for one expiry.
   * @throws AgentError `busy` (another one runs) | `damaged` | `no_space` | `failed`
   */
  static open(place: ExpirerPlace): VaultExpirer {
    const { files, directory } = place;
    return withVaultErrors("open vault", place, () => {
      const flags = { access: "read-write", create: true, mode: 0o600 } as const;
      const lock = files.open(AT_CWD, `${directory}/expire.lock`, flags);
      try {
        if (!files.lock(lock, "exclusive", { wait: false })) throw running();
        return new VaultExpirer(place, lock);
      } catch (error) {
        files.close(lock);
        throw error;
      }
    });
  }

  /**
   * Plans an expiry and, unless it is a dry run, carries it out. Yields between steps, so that the
   * caller lets others run; it may stop there at any time.
   * @returns the plan, as it was carried out
   * @throws AgentError `no_space` | `busy` | `failed`
   */
  *expire(
    config: RetentionConfig,
    options: { readonly dryRun: boolean },
  ): Generator<void, readonly ExpiryItem[]> {
    const facts = this.#facts();
    const inUse = new Set<string>();
    const pinned = new Set<string>();
    for (const { fact, action } of planExpiry(facts, config)) {
      if (action !== "expire") continue;
      const claim = this.#reserved(
        `expire backup "${fact.backup}"`,
        () => this.#store.marks.claim(fact.backup, options),
      );
      if (claim === "in use") inUse.add(fact.backup);
      if (claim === "pinned") pinned.add(fact.backup);
      yield;
    }
    const now = facts.map((fact) => ({
      ...fact,
      inUse: inUse.has(fact.backup),
      pinned: fact.pinned || pinned.has(fact.backup),
    }));
    const items = planExpiry(now, config);
    return options.dryRun ? items : yield* this.#carryOut(items);
  }

  /**
   * Removes the log that no backup needs which an expiry kept, when that is done; yields meanwhile.
   * @param items what `expire` returned
   * @throws AgentError `failed`
   */
  expireWal(
    items: readonly ExpiryItem[],
    options: { readonly dryRun: boolean },
  ): Generator<void, readonly WalExpiry[]> {
    return expireWal(this.#place, this.#store, { items, ...options });
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#catalog.close();
    this.#place.files.close(this.#lock);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  *#carryOut(items: readonly ExpiryItem[]): Generator<void, readonly ExpiryItem[]> {
    const gone = items.filter(({ action }) => action !== "keep");
    this.#attempt("mark backups as expired", () => this.#store.sync());
    const mark = () => this.#catalog.markExpired(gone.map(({ fact }) => fact.backup));
    const marked = this.#unlessFull(() => this.#reserved("mark backups as expired", mark));
    yield;
    const removed = new Set<string>();
    for (const { fact } of gone.filter((item) => item.released).reverse()) {
      const { backup } = fact;
      const remove = () => this.#store.removeMedia(backup);
      if (this.#attempt(`remove media of "${backup}"`, remove)) removed.add(backup);
      yield;
    }
    this.#attempt("remove media", () => this.#store.sync());
    if (!marked) this.#reserved("mark backups as expired", mark);
    yield* this.#forget(removed);
    this.#attempt("remove marks", () => removeStaleMarks(this.#store, this.#catalog));
    this.#reserve.restore(this.#place.random);
    return items.map((item) =>
      item.released && !removed.has(item.fact.backup)
        ? { ...item, why: [...item.why, IN_USE], released: false }
        : item
    );
  }

  *#forget(released: ReadonlySet<string>): Generator<void> {
    for (const backup of this.#catalog.withExpired()) {
      if (!released.has(backup.backup)) continue;
      const steps = this.#catalog.forget(backup);
      const step = () => steps.next();
      while (this.#attempt("remove rows", step).done !== true) yield;
    }
  }

  /** The vault's directory says what is expired and pinned, the catalog everything else. */
  #facts(): ExpiryFact[] {
    const { expired, pinned } = this.#attempt("list media", () => this.#store.list());
    return this.#catalog.withExpired().map((backup) =>
      toFact(backup, {
        expired: backup.expired || expired.includes(backup.backup),
        pinned: pinned.includes(backup.backup),
      })
    );
  }

  /** With the space of the reserve, when it must be. */
  #reserved<T>(doing: string, body: () => T): T {
    return this.#reserve.use(() => this.#attempt(doing, body), isNoSpace);
  }

  #attempt<T>(doing: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw vaultError(error, doing, this.#place);
    }
  }

  /** @returns false when there was no space */
  #unlessFull(body: () => void): boolean {
    try {
      body();
      return true;
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      return false;
    }
  }
}

function toFact(
  backup: CatalogBackup,
  marks: { readonly expired: boolean; readonly pinned: boolean },
): ExpiryFact {
  const { number, status, client, database, kind, source, generation, mediaBytes } = backup;
  return {
    backup: backup.backup,
    number,
    timeMs: Date.parse(backup.time),
    status,
    client,
    database,
    kind,
    source,
    generation,
    mediaBytes,
    inUse: false,
    ...marks,
  };
}

/** Marks of backups that are gone from the vault. @throws SystemError */
function removeStaleMarks(store: MediaStore, catalog: Catalog): void {
  const { complete, partial, expired, pinned, drilled, ranged } = store.list();
  const known = new Set([...complete, ...catalog.withExpired().map(({ backup }) => backup)]);
  for (const backup of expired.filter((one) => !known.has(one))) {
    if (pinned.includes(backup)) store.marks.remove(backup, "pinned");
    if (drilled.includes(backup)) store.marks.remove(backup, "drilled");
    if (ranged.includes(backup)) store.marks.remove(backup, "wal");
    store.marks.remove(backup, "expired");
  }
  // A backup says what it needs before it has its name; one that failed then leaves the mark.
  for (const backup of ranged.filter((one) => !known.has(one) && !partial.includes(one))) {
    store.marks.remove(backup, "wal");
  }
}

function isNoSpace(error: unknown): boolean {
  return error instanceof AgentError && error.code === "no_space";
}

function running(): AgentError {
  return new AgentError("busy", "Cannot expire backups: another expiry runs, need it to end", {
    hint: "Look with `agent jobs`, and try again after it.",
  });
}
