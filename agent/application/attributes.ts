// Owner, mode and times of what a restore made.
//
// Order: owner first, since it clears setuid and setgid; then times; then the mode, which may take
// from us the right to reach the object. Without the right to give things away (not root) owners
// stay ours, which is told once, and setuid and setgid bits are left out.

import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files, PathBytes } from "../../transport/runtime/files.ts";
import type { Entry } from "../entry.ts";
import type { ApplicationWarning } from "./application.ts";

const SET_ID_BITS = 0o6000;

export class Attributes {
  readonly #files: Files;
  readonly #onWarning: (warning: ApplicationWarning) => void;
  #ownersRefused = false;

  constructor(files: Files, onWarning: (warning: ApplicationWarning) => void) {
    this.#files = files;
    this.#onWarning = onWarning;
  }

  /** Of an open directory. */
  applyToDirectory(descriptor: number, entry: Entry): void {
    const owned = this.#applyOwner(descriptor, ".", entry);
    this.#files.setTimes(descriptor, ".", entry.mtimeNs, entry.mtimeNs);
    this.#files.changeMode(descriptor, ".", modeFor(entry, owned));
  }

  /** Of a file that is open as `descriptor` under `name`. */
  applyToFile(directory: number, name: PathBytes, descriptor: number, entry: Entry): void {
    const owned = this.#applyOwner(directory, name, entry);
    this.#files.setTimes(directory, name, entry.mtimeNs, entry.mtimeNs);
    // By descriptor: fchmodat follows links, and the name could be one by now.
    this.#files.changeMode(AT_CWD, `/proc/self/fd/${descriptor}`, modeFor(entry, owned));
  }

  /** Of a symlink, fifo or device. */
  applyToNode(directory: number, name: PathBytes, entry: Entry): void {
    const owned = this.#applyOwner(directory, name, entry);
    this.#files.setTimes(directory, name, entry.mtimeNs, entry.mtimeNs);
    if (entry.type !== "symlink") {
      this.#files.changeMode(directory, name, modeFor(entry, owned));
    }
  }

  /** @returns false when the owner could not be set */
  #applyOwner(directory: number, name: PathBytes, entry: Entry): boolean {
    if (this.#ownersRefused) return false;
    try {
      this.#files.changeOwner(directory, name, entry.uid, entry.gid);
      return true;
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== "EPERM") throw error;
    }
    this.#ownersRefused = true;
    this.#onWarning({
      code: "owner",
      path: entry.path,
      message: "owners are not restored: only root may give files away",
    });
    return false;
  }
}

function modeFor(entry: Entry, owned: boolean): number {
  return owned ? entry.mode : entry.mode & ~SET_ID_BITS;
}
