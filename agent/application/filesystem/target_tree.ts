// The directories of a restore's target: an open descriptor for each along the present path.
//
// Invariants: every component is opened in the directory before it, without following links, so
// that nothing outside the target is ever reached; a directory gets its own owner, times and mode
// when the restore leaves it, after everything inside; a directory that only a redirected file
// enters keeps the times it has. The members of an incremental backup lie in several media, which
// the restore goes over one after the other: a directory whose own entry comes after some of its
// content is closed to others until then.

import { assert } from "../../../transport/ground/assert.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import { LEFT_DIRECTORIES_MAX, MAX_OPEN_DIRECTORIES } from "../limits.ts";
import { checkPath, splitPath } from "../../tar/mod.ts";
import { FreshFiles } from "../fresh_files.ts";
import { openTarget } from "../open_target.ts";
import { compareBytes } from "./source_paths.ts";

/** Rights of a directory while it is being filled; its own come when the restore leaves it. */
const FILLING_MODE = 0o700;
/** Rights of a parent that has no entry of its own in the stream. */
const PARENT_MODE = 0o755;
const SLASH = 0x2f;

interface Level {
  readonly name: Uint8Array;
  /** True when the restore made it. */
  readonly made: boolean;
  /** The last batch with files for it. */
  batch: number;
  readonly identity: string;
  descriptor: number | null;
  finish: ((descriptor: number) => void) | null;
  readonly freshFiles: FreshFiles;
}

/** A directory that the restore has left, and that waits for files under way. */
type Left = Pick<Level, "batch" | "finish"> & { readonly descriptor: number };

/** Files that another thread is writing into directories of the target, in numbered batches. */
export interface FilesUnderWay {
  /** True when the files of that batch are written. */
  isDone(batch: number): boolean;
  /** True when the file of that path, as latin1, may not be there yet. */
  has(path: string): boolean;
  /** Blocks until all are written. */
  wait(): void;
}

const NONE_UNDER_WAY: FilesUnderWay = {
  isDone: () => true,
  has: () => false,
  wait: () => {},
};
const NO_BATCH = -1;

interface Opened {
  readonly descriptor: number;
  /** True when the directory was not there before. */
  readonly made: boolean;
}

export interface EnterOptions {
  /** A plain file or link in the way is removed. */
  readonly replace: boolean;
  /** Directories that are there already keep their times. */
  readonly keepTimes: boolean;
}

export class TargetTree {
  readonly #files: Files;
  readonly #levels: Level[] = [];
  readonly #left: Left[] = [];
  readonly #maxOpen: number;
  readonly #underWay: FilesUnderWay;
  /** Directories that were made and whose own entry did not come yet, by path. */
  readonly #unnamed = new Map<string, readonly Uint8Array[]>();
  readonly #decoder = new TextDecoder("latin1");
  /** Path of the present directory when `enterParent` went there, with its last slash. */
  #parent: Uint8Array | null = null;

  /** Opens the target, and makes it (and its parents) when it is not there. */
  constructor(
    files: Files,
    target: string,
    options: {
      readonly maxOpen?: number | undefined;
      readonly underWay?: FilesUnderWay | undefined;
    } = {},
  ) {
    const { maxOpen = MAX_OPEN_DIRECTORIES, underWay = NONE_UNDER_WAY } = options;
    assert(maxOpen >= 2, "a level and the one below it are open together");
    this.#files = files;
    this.#maxOpen = maxOpen;
    this.#underWay = underWay;
    this.#push({ descriptor: openTarget(files, target), made: false }, new Uint8Array(0));
  }

  /** True when the target has nothing inside. */
  isEmpty(): boolean {
    return this.#files.list(this.#descriptor).length === 0;
  }

  /**
   * Goes to the directory of these components, making what is missing.
   * @returns its descriptor, valid until the next call
   * @throws SystemError ENOTDIR or ELOOP when something else is in the way
   */
  enter(components: readonly Uint8Array[], options: EnterOptions): number {
    this.#parent = null;
    let shared = 0;
    while (shared < components.length && shared + 1 < this.#levels.length) {
      const level = this.#levels[shared + 1];
      if (compareBytes(level?.name as Uint8Array, components[shared] as Uint8Array) !== 0) break;
      shared++;
    }
    while (this.#levels.length > shared + 1) this.#leave();
    for (let depth = shared; depth < components.length; depth++) {
      const component = components[depth] as Uint8Array;
      const path = components.slice(0, depth + 1);
      this.#waitFor(path);
      const opened = this.#openOrMake(this.#descriptor, component, options);
      this.#push(opened, component);
      if (opened.made) {
        this.#unnamed.set(this.#keyOf(path), path.map((one) => one.slice()));
        continue;
      }
      // It may be one that was left and still has to get its times.
      this.#finishAllLeft();
      if (options.keepTimes) this.#keepTimes(opened.descriptor);
    }
    return this.#descriptor;
  }

  /**
   * Goes to the directory that a path lies in: the last one, mostly.
   * @returns its descriptor, valid until the next call
   * @throws SystemError as `enter`; AgentError `damaged` for a path that no walk produces
   */
  enterParent(path: Uint8Array, options: EnterOptions): number {
    checkPath(path);
    const nameAt = path.lastIndexOf(SLASH) + 1;
    if (this.#parent !== null && startsWith(path, nameAt, this.#parent)) return this.#descriptor;
    const descriptor = this.enter(splitPath(path).slice(0, -1), options);
    this.#parent = path.slice(0, nameAt);
    return descriptor;
  }

  /** What files have that are made in the present directory. */
  get freshFiles(): FreshFiles {
    const top = this.#levels.at(-1);
    assert(top !== undefined, "the target is open");
    return top.freshFiles;
  }

  /** True when the restore made the present directory. */
  get isMade(): boolean {
    return this.#levels.at(-1)?.made === true;
  }

  /** Files of that batch are for the present directory. */
  setUnderWay(batch: number): void {
    const top = this.#levels.at(-1);
    assert(top !== undefined, "the target is open");
    top.batch = batch;
  }

  /** Completes the directories that were left and have all of their files now. */
  finishLeft(): void {
    for (;;) {
      const [first] = this.#left;
      if (first === undefined || !this.#underWay.isDone(first.batch)) return;
      this.#left.shift();
      this.#complete(first);
    }
  }

  /** The entry of a directory came. @returns true when the restore had made it before that */
  name(components: readonly Uint8Array[]): boolean {
    return this.#unnamed.delete(this.#keyOf(components));
  }

  /**
   * Opens another directory of the target, which must exist, apart from the present path.
   * @returns a descriptor that the caller closes
   * @throws SystemError
   */
  openPath(components: readonly Uint8Array[]): number {
    const flags = { access: "read", directory: true, noFollow: true } as const;
    const root = this.#levels[0]?.descriptor ?? null;
    assert(root !== null, "the target is open");
    let descriptor = this.#files.open(root, ".", flags);
    for (const [depth, component] of components.entries()) {
      this.#waitFor(components.slice(0, depth + 1));
      const outer = descriptor;
      try {
        descriptor = this.#files.open(outer, component, flags);
      } finally {
        this.#files.close(outer);
      }
    }
    return descriptor;
  }

  /** Says what completes the present directory when the restore leaves it. */
  setFinish(finish: (descriptor: number) => void): void {
    const top = this.#levels.at(-1);
    assert(top !== undefined, "the target is open");
    top.finish = finish;
  }

  get isOpen(): boolean {
    return this.#levels.length > 0;
  }

  /** Completes and closes all directories; after a failure call it again for those left. */
  finish(): void {
    this.#finishAllLeft();
    while (this.#levels.length > 1) this.#leave();
    for (const [key, path] of this.#unnamed) {
      this.#unnamed.delete(key); // Also when it fails: the next call is for the others.
      const descriptor = this.openPath(path);
      try {
        this.#files.changeMode(descriptor, ".", PARENT_MODE);
      } finally {
        this.#files.close(descriptor);
      }
    }
    while (this.#levels.length > 0) this.#leave();
  }

  /** Closes all directories without completing them. */
  abort(): void {
    for (const level of this.#levels) {
      if (level.descriptor !== null) this.#files.close(level.descriptor);
    }
    for (const { descriptor } of this.#left) this.#files.close(descriptor);
    this.#levels.length = 0;
    this.#left.length = 0;
  }

  /** A file that is to come at a path of a directory comes first. */
  #waitFor(path: readonly Uint8Array[]): void {
    if (this.#underWay.has(`/${this.#keyOf(path)}`)) this.#underWay.wait();
  }

  #openOrMake(parent: number, name: Uint8Array, options: EnterOptions): Opened {
    const flags = { access: "read", directory: true, noFollow: true } as const;
    try {
      return { descriptor: this.#files.open(parent, name, flags), made: false };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const occupied = error.errno === "ENOTDIR" || error.errno === "ELOOP";
      if (error.errno !== "ENOENT" && !(occupied && options.replace)) throw error;
      if (occupied) this.#files.unlink(parent, name);
    }
    this.#files.makeDirectory(parent, name, FILLING_MODE);
    return { descriptor: this.#files.open(parent, name, flags), made: true };
  }

  #keepTimes(descriptor: number): void {
    const { atimeNs, mtimeNs } = this.#files.statDescriptor(descriptor);
    this.setFinish((open) => this.#files.setTimes(open, ".", atimeNs, mtimeNs));
  }

  #keyOf(components: readonly Uint8Array[]): string {
    return components.map((one) => this.#decoder.decode(one)).join("/");
  }

  #push({ descriptor, made }: Opened, name: Uint8Array): void {
    const identity = this.#identity(descriptor);
    this.#levels.push({
      name: name.slice(),
      made,
      batch: NO_BATCH,
      identity,
      descriptor,
      finish: null,
      freshFiles: new FreshFiles(),
    });
    const outer = this.#levels[this.#levels.length - 1 - this.#maxOpen];
    // The target itself stays open: it is the way back in for hard links.
    if (outer === undefined || outer === this.#levels[0] || outer.descriptor === null) return;
    if (!this.#underWay.isDone(outer.batch)) this.#underWay.wait();
    this.#files.close(outer.descriptor);
    outer.descriptor = null;
  }

  get #descriptor(): number {
    const descriptor = this.#levels.at(-1)?.descriptor ?? null;
    assert(descriptor !== null, "the innermost directory is open");
    return descriptor;
  }

  #leave(): void {
    const level = this.#levels.pop();
    assert(level !== undefined && level.descriptor !== null, "the innermost directory is open");
    try {
      const outer = this.#levels.at(-1);
      if (outer !== undefined && outer.descriptor === null) {
        const flags = { access: "read", directory: true } as const;
        outer.descriptor = this.#files.open(level.descriptor, "..", flags);
        if (this.#identity(outer.descriptor) !== outer.identity) {
          throw new AgentError("failed", "Cannot restore: a directory of the target was moved", {
            hint: "Restore again and leave the target alone meanwhile.",
          });
        }
      }
    } catch (error) {
      this.#files.close(level.descriptor);
      throw error;
    }
    const { descriptor, batch, finish } = level;
    if (this.#underWay.isDone(batch)) return this.#complete({ descriptor, batch, finish });
    this.#left.push({ descriptor, batch, finish });
    if (this.#left.length > LEFT_DIRECTORIES_MAX) this.#finishAllLeft();
  }

  #complete({ descriptor, finish }: Left): void {
    try {
      finish?.(descriptor);
    } finally {
      this.#files.close(descriptor);
    }
  }

  #finishAllLeft(): void {
    if (this.#left.length === 0) return;
    this.#underWay.wait();
    this.finishLeft();
  }

  #identity(descriptor: number): string {
    const stat = this.#files.statDescriptor(descriptor);
    return `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inode}`;
  }
}

/** True when the first `length` bytes of `path` are `start`. */
function startsWith(path: Uint8Array, length: number, start: Uint8Array): boolean {
  if (length !== start.length) return false;
  for (let at = 0; at < length; at++) if (path[at] !== start[at]) return false;
  return true;
}
