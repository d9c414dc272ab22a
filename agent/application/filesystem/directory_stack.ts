// The directories that a walk is inside of, each with the sorted names that are taken of it and,
// for the innermost ones, an open descriptor.
//
// Invariants: at most MAX_OPEN_DIRECTORIES descriptors are open; a level that lost its descriptor
// gets it back by ".." from the level below, and only if that is the same directory still.

import { assert } from "../../../transport/ground/assert.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files, FileStat, PathBytes } from "../../../transport/runtime/files.ts";
import { MAX_OPEN_DIRECTORIES } from "../limits.ts";
import type { DirectoryScope } from "./directory_scope.ts";
import { NameList } from "./name_list.ts";
import type { WalkPlace } from "./read_ahead.ts";

/** A directory and how it is reached. */
interface Reached {
  readonly directory: number;
  readonly name: PathBytes;
  readonly path: Uint8Array;
}

interface Level {
  readonly path: Uint8Array;
  readonly names: NameList;
  readonly scope: DirectoryScope;
  readonly identity: string;
  next: number;
  descriptor: number | null;
}

export class DirectoryStack {
  readonly #files: Files;
  readonly #levels: Level[] = [];
  readonly #maxOpen: number;

  constructor(files: Files, maxOpen = MAX_OPEN_DIRECTORIES) {
    assert(maxOpen >= 2, "a level and the one below it are open together");
    this.#files = files;
    this.#maxOpen = maxOpen;
  }

  get depth(): number {
    return this.#levels.length;
  }

  /** Path of the innermost directory. */
  get path(): Uint8Array {
    return this.#top.path;
  }

  /** What holds in the innermost directory. */
  get scope(): DirectoryScope {
    return this.#top.scope;
  }

  /** Descriptor of the innermost directory. */
  get descriptor(): number {
    const descriptor = this.#top.descriptor;
    assert(descriptor !== null, "the innermost directory is open");
    return descriptor;
  }

  /** Where `nextName` has come to in the innermost directory. */
  get place(): WalkPlace {
    const { names, next } = this.#top;
    return { directory: this.descriptor, names, position: next - 1 };
  }

  /** The next name of the innermost directory, null after the last. */
  nextName(): Uint8Array | null {
    const top = this.#top;
    return top.names.at(top.next++);
  }

  /** Opens and lists a directory in `around` and makes it the innermost. @throws SystemError */
  push({ directory, name, path }: Reached, around: DirectoryScope): NameList {
    const flags = { access: "read", directory: true, noFollow: true, noAtime: true } as const;
    const descriptor = this.#files.open(directory, name, flags);
    const names = new NameList();
    try {
      const stat = this.#files.statDescriptor(descriptor);
      this.#files.visitNames(descriptor, (name, type) => names.add(name, type));
      names.sort();
      const scope = around.enter({ path, descriptor, stat, names });
      const identity = identityOf(stat);
      this.#levels.push({ path, names, scope, identity, next: 0, descriptor });
    } catch (error) {
      this.#files.close(descriptor);
      throw error;
    }
    const outer = this.#levels[this.#levels.length - 1 - this.#maxOpen];
    if (outer !== undefined) this.#release(outer);
    return names;
  }

  /**
   * Leaves the innermost directory.
   * @returns the path of the directory around it when that cannot be gone on with, else null
   */
  pop(): Uint8Array | null {
    const left = this.#levels.pop();
    assert(left !== undefined, "a level is left");
    const top = this.#levels.at(-1);
    try {
      if (top === undefined || top.descriptor !== null) return null;
      assert(left.descriptor !== null, "the innermost directory is open");
      top.descriptor = this.#files.open(left.descriptor, "..", { access: "read", directory: true });
      const stat = this.#files.statDescriptor(top.descriptor);
      if (identityOf(stat) === top.identity) return null;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    } finally {
      this.#release(left);
    }
    // Somebody moved the directory: what is left of the outer one cannot be reached by it.
    assert(top !== undefined, "the outer level was looked at");
    top.next = top.names.length;
    return top.path;
  }

  /** Closes everything. */
  close(): void {
    for (const level of this.#levels) this.#release(level);
    this.#levels.length = 0;
  }

  get #top(): Level {
    const top = this.#levels.at(-1);
    assert(top !== undefined, "the stack has a level");
    return top;
  }

  #release(level: Level): void {
    if (level.descriptor !== null) this.#files.close(level.descriptor);
    level.descriptor = null;
  }
}

function identityOf({ deviceMajor, deviceMinor, inode }: FileStat): string {
  return `${deviceMajor}:${deviceMinor}:${inode}`;
}
