// The cut backups of a vault: files `media/<backup>.partial` that nobody writes. A file that is
// being written is locked by its writer and is none of them; the lock dies with its process.

import { SystemError } from "../../transport/runtime/files.ts";
import { CutMedia, isUnreadable } from "../media/mod.ts";
import type { CutBackup } from "./cut_policy.ts";
import { MediaStore } from "./media_store.ts";
import type { VaultPlace } from "./vault_error.ts";

export class CutBackups {
  readonly #place: VaultPlace;
  readonly #store: MediaStore;

  constructor(place: VaultPlace, store = new MediaStore(place)) {
    this.#place = place;
    this.#store = store;
  }

  /** Those whose label can be read. @throws SystemError */
  list(): CutBackup[] {
    return this.#store.list().partial.flatMap((backup) => {
      using cut = this.open(backup);
      return cut === null ? [] : [{ backup, label: cut.label, mediaBytes: cut.sizeBytes }];
    });
  }

  /**
   * Opens one, which is the caller's alone until it closes it.
   * @returns null when it is gone, being written, unreadable, or not what a media file begins with
   */
  open(backup: string): CutMedia | null {
    try {
      return CutMedia.open(this.#place.files, this.#store.partialPath(backup));
    } catch (error) {
      if (isUnreadable(error)) return null;
      if (error instanceof SystemError && error.errno === "ENOENT") return null;
      throw error;
    }
  }

  /**
   * Removes those that a test picks; a file that is being written stays.
   * @returns the ids of those that are gone
   * @throws SystemError
   */
  remove(isUseless: (cut: CutBackup) => boolean): string[] {
    return this.list().filter(isUseless).map(({ backup }) => backup).filter((backup) => {
      using cut = this.open(backup);
      if (cut !== null) this.#store.removePartial(backup);
      return cut !== null;
    });
  }
}
