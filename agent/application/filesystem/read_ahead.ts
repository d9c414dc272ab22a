// The next files of a directory, opened before the walk is at them, with their beginnings asked
// for: a device gives many small files at once faster than one after another.
//
// Invariants: descriptors of one directory only, READ_AHEAD_FILES of them at most; what the walk
// has passed is closed. Nothing is known of a file by it: the walk looks at the name when it is
// there, and whoever stores it looks at the descriptor.

import { assert } from "../../../transport/ground/assert.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import { READ_AHEAD_FILE_BYTES, READ_AHEAD_FILES } from "../limits.ts";
import type { NameList } from "./name_list.ts";
import { openSource } from "./open_source.ts";

/** In a directory: its descriptor, its names, and the position of the one that the walk is at. */
export interface WalkPlace {
  readonly directory: number;
  readonly names: NameList;
  readonly position: number;
}

export class ReadAhead {
  readonly #files: Files;
  /** Of the name that the walk is at and those behind it; null for what is not open. */
  #descriptors: (number | null)[] = [];
  #names: NameList | null = null;
  /** Of the first of the descriptors. */
  #position = 0;

  constructor(files: Files) {
    this.#files = files;
  }

  /** Closes what the walk has passed and opens what comes next, as far as the next directory. */
  moveTo(place: WalkPlace): void {
    if (place.names !== this.#names) this.close();
    while (this.#descriptors.length > 0 && this.#position < place.position) this.#passFirst();
    this.#names = place.names;
    this.#position = place.position;
    while (this.#descriptors.length <= READ_AHEAD_FILES) {
      const position = place.position + this.#descriptors.length;
      const type = place.names.typeAt(position);
      // What a directory holds comes before the names behind it.
      if (type === "directory" || type === "unknown") return;
      // The one that the walk is at is opened by who stores it, unless that is done already.
      const isComing = type === "file" && position > place.position;
      this.#descriptors.push(isComing ? this.#open(place, position) : null);
    }
  }

  /** The descriptor of the file that the walk is at, the caller's from then on; null for none. */
  take(): number | null {
    const descriptor = this.#descriptors[0] ?? null;
    if (descriptor !== null) this.#descriptors[0] = null;
    return descriptor;
  }

  close(): void {
    while (this.#descriptors.length > 0) this.#passFirst();
  }

  #passFirst(): void {
    const descriptor = this.#descriptors.shift();
    assert(descriptor !== undefined, "a position is passed");
    if (descriptor !== null) this.#files.close(descriptor);
    this.#position += 1;
  }

  #open({ directory, names }: WalkPlace, position: number): number | null {
    const name = names.at(position);
    if (name === null) return null;
    try {
      const descriptor = openSource(this.#files, directory, name);
      this.#files.startRead(descriptor, 0, READ_AHEAD_FILE_BYTES);
      return descriptor;
    } catch (error) {
      // Whoever stores it says why.
      if (error instanceof SystemError) return null;
      throw error;
    }
  }
}
