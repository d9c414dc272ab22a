// The directory `media/` of a vault: which file a backup lives in, and the durable steps of giving
// it its name.
//
//   media/<backup>.partial    being written, or cut: the next backup may go on with it
//   media/<backup>.tar.zst    complete and durable: it gets this name after its fsync only
//   media/<backup>.expired, .pinned, .drilled, .wal   marks (backup_marks.ts)

import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { isThere } from "../is_there.ts";
import { MediaReader } from "../media/mod.ts";
import { BackupMarks, isFreshMark } from "./backup_marks.ts";
import { systemError, vaultError } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

const SUFFIX = ".tar.zst";
const PARTIAL = ".partial";

/** Ids of backups by what files they have. */
export interface MediaListing {
  /** The media file has its final name. */
  readonly complete: string[];
  readonly partial: string[];
  readonly expired: string[];
  readonly pinned: string[];
  readonly drilled: string[];
  /** Those that say what they need of a write-ahead log. */
  readonly ranged: string[];
}

export class MediaStore {
  readonly #files: Files;
  readonly #directory: string;
  readonly #place: VaultPlace;
  readonly marks: BackupMarks;

  constructor(place: VaultPlace) {
    this.#place = place;
    this.#files = place.files;
    this.#directory = `${place.directory}/media`;
    this.marks = new BackupMarks(place.files, this.#directory);
  }

  path(backup: string): string {
    return `${this.#directory}/${backup}${SUFFIX}`;
  }

  partialPath(backup: string): string {
    return `${this.#directory}/${backup}${PARTIAL}`;
  }

  /** Makes the directory unless it is there. @throws SystemError */
  create(): void {
    makeDirectory(this.#files, this.#directory);
  }

  /** What there is. @throws SystemError */
  list(): MediaListing {
    const names = this.#names();
    const stems = (suffix: string) =>
      names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
    return {
      complete: stems(SUFFIX),
      partial: stems(PARTIAL),
      expired: stems(".expired"),
      pinned: stems(".pinned"),
      drilled: stems(".drilled"),
      ranged: stems(".wal"),
    };
  }

  /** Removes marks that a dead process was writing; nobody else may write. @throws SystemError */
  removeFreshMarks(): void {
    for (const name of this.#names().filter(isFreshMark)) {
      this.#files.unlink(AT_CWD, `${this.#directory}/${name}`);
    }
  }

  /**
   * Opens the finished file of a backup; the caller closes it.
   * @param framesOnly without label and trailer, when these cannot be read
   * @throws AgentError `damaged` when it is missing or not what a finished file looks like
   */
  open(backup: string, { framesOnly = false } = {}): MediaReader {
    try {
      return new MediaReader(this.#files, this.path(backup), { framesOnly });
    } catch (error) {
      if (error instanceof SystemError && error.errno === "ENOENT") {
        const message = `Cannot open media "${this.path(backup)}": no such file, need it`;
        throw new AgentError("damaged", message, {
          hint: "Put the file back, or use another backup.",
          cause: error,
        });
      }
      throw vaultError(error, `open media "${this.path(backup)}"`, this.#place);
    }
  }

  /** The error of a finished file that could be opened and not read. */
  unreadable(backup: string, cause: SystemError): AgentError {
    return systemError(cause, `read media "${this.path(backup)}"`, this.#place);
  }

  /** Is the finished file of a backup there? @throws SystemError */
  hasMedia(backup: string): boolean {
    return isThere(this.#files, this.path(backup));
  }

  /** Gives a durable partial file its final name, durably. @throws SystemError */
  rename(backup: string): void {
    this.#files.rename(AT_CWD, this.partialPath(backup), AT_CWD, this.path(backup));
    this.sync();
  }

  /** Gives the file of a cut backup to the one that goes on with it. @throws SystemError */
  handOver(cut: string, backup: string): void {
    this.#files.rename(AT_CWD, this.partialPath(cut), AT_CWD, this.partialPath(backup));
  }

  /** Removes the final file of a backup that was not published; what stays is adopted later. */
  removeIfThere(backup: string): void {
    try {
      this.#files.unlink(AT_CWD, this.path(backup));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /**
   * Removes the final file of an expired backup, if it is there.
   * @returns false when a job is reading it
   * @throws SystemError
   */
  removeMedia(backup: string): boolean {
    return this.marks.ifUnused(backup, () => {
      try {
        this.#files.unlink(AT_CWD, this.path(backup));
      } catch (error) {
        if (!(error instanceof SystemError && error.errno === "ENOENT")) throw error;
      }
      return true;
    }) ?? false;
  }

  /** Removes a partial file, if it is there. @throws SystemError */
  removePartial(backup: string): void {
    try {
      this.#files.unlink(AT_CWD, this.partialPath(backup));
    } catch (error) {
      if (!(error instanceof SystemError && error.errno === "ENOENT")) throw error;
    }
  }

  /** Makes names durable. @throws SystemError */
  sync(): void {
    const descriptor = this.#openDirectory();
    try {
      this.#files.sync(descriptor);
    } finally {
      this.#files.close(descriptor);
    }
  }

  #names(): string[] {
    const descriptor = this.#openDirectory();
    try {
      return this.#files.list(descriptor).map(({ name }) => new TextDecoder().decode(name)).sort();
    } finally {
      this.#files.close(descriptor);
    }
  }

  #openDirectory(): number {
    return this.#files.open(AT_CWD, this.#directory, { access: "read", directory: true });
  }
}

/** Makes a directory for its owner alone unless it is there. @throws SystemError */
export function makeDirectory(files: Files, path: string): void {
  try {
    files.makeDirectory(AT_CWD, path, 0o700);
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === "EEXIST")) throw error;
  }
}
