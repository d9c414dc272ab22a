// A file that is worth nothing but its space: it is given up when the disk is full, so that the
// catalog's log can grow and an expiry can free more, and made again once there is space.
//
// Its content is random, because a file system that compresses would keep zeros in no space at all.

import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Random } from "../../transport/runtime/runtime.ts";
import { RESERVE_BYTES, RESERVE_FREE_BYTES } from "./limits.ts";
import type { VaultPlace } from "./vault_error.ts";

export class Reserve {
  readonly #place: VaultPlace;
  readonly #path: string;

  constructor(place: VaultPlace) {
    this.#place = place;
    this.#path = `${place.directory}/reserve`;
  }

  /** Frees the space. @returns false when there was nothing to give up */
  giveUp(): boolean {
    try {
      this.#place.files.unlink(AT_CWD, this.#path);
      return true;
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }

  /** Makes the file unless it is there or the disk is too full for it. */
  restore(random: Random): void {
    const { files, directory } = this.#place;
    let descriptor: number | null = null;
    try {
      if (files.fileSystem(directory).freeBytes < RESERVE_FREE_BYTES) return;
      descriptor = files.open(AT_CWD, this.#path, { access: "write", create: true, mode: 0o600 });
      if (files.statDescriptor(descriptor).sizeBytes === RESERVE_BYTES) return;
      files.writeAllAt(descriptor, 0, random.bytes(RESERVE_BYTES));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.giveUp(); // Others took the space: half a reserve is worth nothing.
    } finally {
      if (descriptor !== null) files.close(descriptor);
    }
  }

  /** Runs `body`, once more with the reserve given up when there was no space. */
  use<T>(body: () => T, isNoSpace: (error: unknown) => boolean): T {
    try {
      return body();
    } catch (error) {
      if (!isNoSpace(error) || !this.giveUp()) throw error;
      return body();
    }
  }
}
