// Knows files with several names: the first name seen carries the data, further names link to it.
//
// A file leaves the table with its last name, so that its size is that of the sets that are open.

import type { FileStat } from "../../../transport/runtime/files.ts";
import { MAX_LINKED_FILES } from "../limits.ts";

/** The name that carries the data of a file with several names. */
export interface FirstName {
  readonly path: Uint8Array;
  /** True when this backup stores its data, false when an older one has it. */
  readonly isStored: boolean;
}

interface Known {
  readonly first: FirstName;
  namesLeft: number;
}

export class HardLinks {
  readonly #known = new Map<string, Known>();
  readonly #limit: number;

  constructor(limit = MAX_LINKED_FILES) {
    this.#limit = limit;
  }

  /** The name that carries the data of this file, when it was seen before. */
  firstName(stat: FileStat): FirstName | null {
    if (stat.linkCount < 2 || stat.type === "directory") return null;
    const key = keyOf(stat);
    const known = this.#known.get(key);
    if (known === undefined) return null;
    if (--known.namesLeft === 0) this.#known.delete(key);
    return known.first;
  }

  /** Remembers that `path` carries the data of this file. */
  add(stat: FileStat, first: FirstName): void {
    if (stat.linkCount < 2 || stat.type === "directory" || this.#known.size >= this.#limit) return;
    this.#known.set(keyOf(stat), { first, namesLeft: stat.linkCount - 1 });
  }
}

function keyOf(stat: FileStat): string {
  return `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inode}`;
}
