// Owner, extended attributes, times and mode of what a restore made.
//
// Order: owner first, since it clears setuid, setgid and capabilities; then extended attributes, of
// which an access control list changes the mode; then times; then the mode, which may take from us
// the right to reach the object. What cannot be set is a warning for this object and this kind of
// attribute, and the rest is set all the same; where the owner cannot be set, setuid and setgid
// bits are left out.

import { SystemError } from "../../transport/runtime/files.ts";
import type { Files, PathBytes, XattrSubject } from "../../transport/runtime/files.ts";
import type { Entry, Xattr } from "../entry.ts";
import type { ApplicationWarning, WarningCode } from "./application.ts";
import type { FreshFile } from "./fresh_files.ts";
import { isMediumFailure } from "./medium_failure.ts";
import { nameSome } from "./name_some.ts";
import { writeXattrs } from "./write_xattrs.ts";

const SET_ID_BITS = 0o6000;

/** An object that was made: where it stands, and its descriptor when it is open. */
export interface MadeObject {
  readonly directory: number;
  readonly name: PathBytes;
  readonly descriptor: number | null;
  /** What it has from the start, where that is known. */
  readonly has?: FreshFile | null;
}

export class Attributes {
  readonly #files: Files;
  readonly #onWarning: (warning: ApplicationWarning) => void;

  constructor(files: Files, onWarning: (warning: ApplicationWarning) => void) {
    this.#files = files;
    this.#onWarning = onWarning;
  }

  /**
   * Sets all; `xattrs` is null for an entry without them: its object keeps what it was made with.
   * @throws SystemError when the medium fails
   */
  apply(object: MadeObject, entry: Entry, xattrs: readonly Xattr[] | null): void {
    const { directory, name, descriptor, has } = object;
    const { uid, gid, mtimeNs } = entry;
    // By descriptor where there is one: no name is looked up, and none can be another's by now.
    const at = descriptor ?? directory;
    const path = descriptor === null ? name : null;
    const isOwned = has?.uid === uid && has.gid === gid;
    const owned = isOwned || this.#attempt(entry, {
      code: "owner",
      what: () => `owner ${uid}:${gid}${entry.mode & SET_ID_BITS ? ", setuid and setgid" : ""}`,
      step: () => this.#files.changeOwner(at, path, uid, gid),
    });
    const isBare = xattrs?.length === 0 && has?.hasXattrs === false;
    if (xattrs !== null && !isBare) {
      this.#applyXattrs(descriptor ?? { directory, name }, entry, xattrs);
    }
    this.#attempt(entry, {
      code: "times",
      what: () => "modification time",
      step: () => this.#files.setTimes(at, path, mtimeNs, mtimeNs),
    });
    if (entry.type === "symlink") return;
    const mode = owned ? entry.mode : entry.mode & ~SET_ID_BITS;
    this.#attempt(entry, {
      code: "mode",
      what: () => `mode ${mode.toString(8)}`,
      step: () => this.#files.changeMode(at, path, mode),
    });
  }

  #applyXattrs(subject: XattrSubject, entry: Entry, xattrs: readonly Xattr[]): void {
    for (const [code, failures] of writeXattrs(this.#files, subject, xattrs)) {
      const message = `not restored: ${nameSome(failures)}`;
      this.#onWarning({ code, path: entry.path, message });
    }
  }

  /** @returns false when the step failed, which was warned of */
  #attempt(
    entry: Entry,
    { code, what, step }: {
      readonly code: WarningCode;
      readonly what: () => string;
      readonly step: () => void;
    },
  ): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof SystemError) || isMediumFailure(error)) throw error;
      this.#onWarning({
        code,
        path: entry.path,
        message: `not restored: ${what()} (${error.errno})`,
      });
      return false;
    }
  }
}
