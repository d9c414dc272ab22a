// Puts a finished object at its final name: everything is made under a temporary name in the same
// directory first, so that nothing half-written ever stands under the final one.

import { AgentError } from "../../transport/ground/error.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { MAX_TEMPORARY_TRIES } from "./limits.ts";

export type Overwrite = "refuse" | "never" | "always" | "changed";

export interface PlacementOptions {
  /** Keeps the temporary names of two threads apart. */
  readonly prefix?: string;
  /** Called before a directory is removed that is in the way, if it is empty. */
  readonly beforeRemoval?: () => void;
}

export class Placement {
  readonly #files: Files;
  readonly #options: PlacementOptions;
  #next = 0;

  constructor(files: Files, options: PlacementOptions = {}) {
    this.#files = files;
    this.#options = options;
  }

  /**
   * Makes something under a fresh temporary name; names that an interrupted restore left behind
   * are passed over.
   * @param make must fail with EEXIST when the name is taken
   */
  make<Made>(make: (temporary: string) => Made): { readonly name: string; readonly made: Made } {
    const { prefix = "" } = this.#options;
    for (let tries = 0; tries < MAX_TEMPORARY_TRIES; tries++) {
      const name = `.agent-restore-${prefix}${this.#next++}`;
      try {
        return { name, made: make(name) };
      } catch (error) {
        if (!hasErrno(error, "EEXIST")) throw error;
      }
    }
    throw new AgentError("failed", "Cannot restore: found no free temporary name, need one", {
      hint: "Remove the files `.agent-restore-*` from the target.",
    });
  }

  /** Moves what `make` made to its final name, over what is there. @throws SystemError */
  place(directory: number, temporary: string, name: Uint8Array): void {
    try {
      this.#files.rename(directory, temporary, directory, name);
    } catch (error) {
      // An empty directory in the way can go; a filled one stays, and the caller warns.
      if (!hasErrno(error, "EISDIR", "EEXIST", "ENOTEMPTY")) throw error;
      this.#options.beforeRemoval?.();
      this.#files.unlink(directory, name, { directory: true });
      this.#files.rename(directory, temporary, directory, name);
    }
  }

  /** Removes a temporary name if it is still there. */
  discard(directory: number, temporary: string): void {
    try {
      this.#files.unlink(directory, temporary);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  exists(directory: number, name: Uint8Array): boolean {
    try {
      this.#files.stat(directory, name);
      return true;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return false;
      throw error;
    }
  }
}

/** True for a failed system call with one of these errnos. */
export function hasErrno(error: unknown, ...errnos: readonly string[]): boolean {
  return error instanceof SystemError && errnos.includes(error.errno);
}
