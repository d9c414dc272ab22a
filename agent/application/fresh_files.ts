// What a file has from the start in the directory that it is made in: the first one shows it for
// those after it, which need no call for what they have anyhow.
//
// Owner and group come from the process, the directory's setgid bit and the mount; an access
// control list from the directory's default list. One object is for one directory, and for files
// that this process made with one mode and did not change.

import type { Files } from "../../transport/runtime/files.ts";
import { hasXattrs } from "./write_xattrs.ts";

export interface FreshFile {
  readonly uid: number;
  readonly gid: number;
  /** Extended attributes that are not the system's own labels. */
  readonly hasXattrs: boolean;
}

export class FreshFiles {
  #first: FreshFile | null = null;

  /**
   * @param descriptor of a file that was just made
   * @throws SystemError
   */
  likeThis(files: Files, descriptor: number): FreshFile {
    if (this.#first !== null) return this.#first;
    const { uid, gid } = files.statDescriptor(descriptor);
    this.#first = { uid, gid, hasXattrs: hasXattrs(files, descriptor) };
    return this.#first;
  }
}
