// What is known of a backup besides its media file: files beside it, so that the vault's directory
// alone says it, without the catalog. Those of an expiry are empty and need no space.
//
//   media/<backup>.expired   it is listed no more, also after the catalog is made again; its media
//                            file is there while others need it, and the mark outlives the file
//                            until the catalog has forgotten it, too
//   media/<backup>.pinned    it never expires
//   media/<backup>.drilled   its last drill: a line of JSON (drill_mark.ts)
//   media/<backup>.wal       of a PostgreSQL cluster: what it needs of the write-ahead log, a line
//                            of JSON (wal/backup_range.ts)
//
// And who may set them when: a job that reads a backup or builds on it holds it by a shared lock on
// its media file, an expiry claims it by an exclusive one. Both die with their process.

import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import type { Drill } from "../control/drill_view.ts";
import { isThere } from "../is_there.ts";
import { isUnreadable } from "../media/mod.ts";
import { type BackupRange, decodeBackupRange, encodeBackupRange } from "../wal/backup_range.ts";
import { MAX_BACKUP_RANGE_BYTES } from "../wal/limits.ts";
import { decodeDrillMark, encodeDrillMark } from "./drill_mark.ts";
import { MAX_DRILL_MARK_BYTES } from "./limits.ts";

export type Mark = "expired" | "pinned" | "drilled" | "wal";

/** Of a mark that is being written: it gets its name when it is durable. */
const FRESH = ".new";

/** Is this the name of a mark that is being written, or was when its process died? */
export function isFreshMark(name: string): boolean {
  return name.endsWith(`.drilled${FRESH}`) || name.endsWith(`.wal${FRESH}`);
}

export type Claim = "expired" | "in use" | "pinned";

export class BackupMarks {
  readonly #files: Files;
  readonly #directory: string;

  constructor(files: Files, mediaDirectory: string) {
    this.#files = files;
    this.#directory = mediaDirectory;
  }

  has(backup: string, mark: Mark): boolean {
    return isThere(this.#files, this.#path(backup, mark));
  }

  /** Sets a mark, not yet durably. @throws SystemError */
  set(backup: string, mark: Mark): void {
    const flags = { access: "write", create: true, mode: 0o600 } as const;
    this.#files.close(this.#files.open(AT_CWD, this.#path(backup, mark), flags));
  }

  /** Sets the mark of a drill in place of an older one. @throws SystemError */
  setDrill(backup: string, drill: Drill): void {
    this.#write(this.#path(backup, "drilled"), encodeDrillMark(drill));
  }

  /** The last drill of a backup; null without one, or when its mark cannot be read as one. */
  drill(backup: string): Drill | null {
    const bytes = this.#read(this.#path(backup, "drilled"), MAX_DRILL_MARK_BYTES);
    return bytes === null ? null : decodeDrillMark(bytes);
  }

  /** Says what a backup needs of the write-ahead log. @throws SystemError */
  setRange(backup: string, range: BackupRange): void {
    this.#write(this.#path(backup, "wal"), encodeBackupRange(range));
  }

  /**
   * What a backup needs of the write-ahead log; null when nobody said it.
   * @throws SystemError, AgentError `damaged`
   */
  range(backup: string): BackupRange | null {
    const bytes = this.#read(this.#path(backup, "wal"), MAX_BACKUP_RANGE_BYTES);
    return bytes === null ? null : decodeBackupRange(bytes);
  }

  /** Removes a mark if it is there, not yet durably. @throws SystemError */
  remove(backup: string, mark: Mark): void {
    try {
      this.#files.unlink(AT_CWD, this.#path(backup, mark));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /**
   * Keeps a backup from expiring until the result is disposed of. A media file that is lost cannot
   * be held, but does not expire for that.
   * @returns null when the backup has expired
   */
  hold(backup: string): Disposable | null {
    const held = this.holdMedia(backup);
    if (!this.has(backup, "expired")) return held;
    held[Symbol.dispose]();
    return null;
  }

  /**
   * Keeps a media file from being removed, also that of an expired backup. One that cannot be
   * opened is not held; an expiry cannot remove it either, for it must open it first.
   */
  holdMedia(backup: string): Disposable {
    const descriptor = this.#openReadable(backup);
    const close = () => {
      if (descriptor !== null) this.#files.close(descriptor);
    };
    try {
      // An expiry has it for a moment only.
      if (descriptor !== null) this.#files.lock(descriptor, "shared", { wait: true });
    } catch (error) {
      close();
      throw error;
    }
    return { [Symbol.dispose]: close };
  }

  /**
   * Marks a backup as expired, unless a job holds it or somebody has just pinned it.
   * @param dryRun only finds out
   * @throws SystemError
   */
  claim(backup: string, options: { readonly dryRun: boolean }): Claim {
    return this.ifUnused(backup, (): Claim => {
      if (this.has(backup, "pinned")) return "pinned";
      if (!options.dryRun) this.set(backup, "expired");
      return "expired";
    }) ?? "in use";
  }

  /** Runs `body` while nobody holds the media file. @returns null, without it, if somebody does */
  ifUnused<T>(backup: string, body: () => T): T | null {
    const descriptor = this.#openMedia(backup, "read-write");
    try {
      const unused = descriptor === null ||
        this.#files.lock(descriptor, "exclusive", { wait: false });
      return unused ? body() : null;
    } finally {
      if (descriptor !== null) this.#files.close(descriptor);
    }
  }

  #openMedia(backup: string, access: "read" | "read-write"): number | null {
    try {
      return this.#files.open(AT_CWD, `${this.#directory}/${backup}.tar.zst`, { access });
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  #openReadable(backup: string): number | null {
    try {
      return this.#openMedia(backup, "read");
    } catch (error) {
      if (isUnreadable(error)) return null;
      throw error;
    }
  }

  /** In place of an older one, whole or not at all. */
  #write(path: string, bytes: Uint8Array): void {
    const fresh = `${path}${FRESH}`;
    const flags = { access: "write", create: true, truncate: true, mode: 0o600 } as const;
    const descriptor = this.#files.open(AT_CWD, fresh, flags);
    try {
      try {
        this.#files.writeAll(descriptor, bytes);
        this.#files.sync(descriptor);
      } finally {
        this.#files.close(descriptor);
      }
      this.#files.rename(AT_CWD, fresh, AT_CWD, path);
    } catch (error) {
      this.#removeFresh(fresh);
      throw error;
    }
  }

  #removeFresh(path: string): void {
    try {
      this.#files.unlink(AT_CWD, path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error; // The next start removes it.
    }
  }

  /** The first bytes of a mark; null without one. */
  #read(path: string, bytesMax: number): Uint8Array | null {
    let descriptor: number;
    try {
      descriptor = this.#files.open(AT_CWD, path, { access: "read" });
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    try {
      const bytes = new Uint8Array(bytesMax);
      return bytes.subarray(0, this.#files.readAt(descriptor, 0, bytes));
    } finally {
      this.#files.close(descriptor);
    }
  }

  #path(backup: string, mark: Mark): string {
    return `${this.#directory}/${backup}.${mark}`;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof SystemError && error.errno === "ENOENT";
}
