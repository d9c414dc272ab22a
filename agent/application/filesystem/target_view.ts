// Looks at what lies below a restore's target and changes nothing, not even the target itself.
//
// Invariant: every component is opened in the directory before it without following links, as a
// restore does (target_tree.ts), so nothing outside the target is looked at. One directory is open
// at a time: neighbours in the order of a walk share it.

import { AT_CWD, SystemError } from "../../../transport/runtime/files.ts";
import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import type { Entry } from "../../entry.ts";
import { splitPath } from "../../tar/mod.ts";
import { toEntry } from "../entry_of.ts";
import { noDirectory } from "../open_target.ts";
import { compareBytes } from "./source_paths.ts";

/** An object below the target: its directory's descriptor, valid until the next call, and name. */
export interface FoundObject {
  readonly directory: number;
  readonly name: Uint8Array | ".";
  readonly stat: FileStat;
}

/** Why there is no object: nothing of that name, or the way to it leads through no directory. */
export interface NotFound {
  readonly errno: string;
}

export class TargetView {
  readonly #files: Files;
  #root: number | null;
  #parent: Uint8Array = new Uint8Array(0);
  #directory: number | NotFound | null = null;

  /** @throws AgentError `failed` when the target is no directory */
  constructor(files: Files, target: string) {
    this.#files = files;
    this.#root = openIfThere(files, target);
  }

  /** True when there is no target, or nothing inside of it. */
  isEmpty(): boolean {
    return this.#root === null || this.#files.list(this.#root).length === 0;
  }

  /** The object at a full path, which is that of the target itself for "/". @throws AgentError */
  find(path: Uint8Array): FoundObject | NotFound {
    if (this.#root === null) return { errno: "ENOENT" };
    const components = splitPath(path);
    const name = components.pop();
    if (name === undefined) {
      const stat = this.#files.statDescriptor(this.#root);
      return { directory: this.#root, name: ".", stat };
    }
    const directory = this.#enter(path.subarray(0, path.length - name.length), components);
    if (typeof directory !== "number") return directory;
    return this.#attempt(() => ({ directory, name, stat: this.#files.stat(directory, name) }));
  }

  /** The object's entry, null for what no backup holds (a socket). */
  entryOf(path: Uint8Array, { directory, name, stat }: FoundObject): Entry | null {
    if (stat.type === "socket" || stat.type === "unknown") return null;
    const target = stat.type === "symlink" ? this.#files.readLink(directory, name) : null;
    return toEntry(path, stat, target);
  }

  /** Idempotent. */
  close(): void {
    this.#leave();
    if (this.#root !== null) this.#files.close(this.#root);
    this.#root = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #enter(parent: Uint8Array, components: readonly Uint8Array[]): number | NotFound {
    if (this.#directory !== null && compareBytes(parent, this.#parent) === 0) {
      return this.#directory;
    }
    this.#leave();
    this.#parent = parent.slice();
    this.#directory = this.#attempt(() => this.#open(components));
    return this.#directory;
  }

  #open(components: readonly Uint8Array[]): number {
    const flags = { access: "read", directory: true, noFollow: true } as const;
    let descriptor = this.#files.open(this.#root ?? AT_CWD, ".", flags);
    for (const component of components) {
      const outer = descriptor;
      try {
        descriptor = this.#files.open(outer, component, flags);
      } finally {
        this.#files.close(outer);
      }
    }
    return descriptor;
  }

  #leave(): void {
    if (typeof this.#directory === "number") this.#files.close(this.#directory);
    this.#directory = null;
  }

  #attempt<T>(step: () => T): T | NotFound {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return { errno: error.errno };
    }
  }
}

function openIfThere(files: Files, target: string): number | null {
  try {
    return files.open(AT_CWD, target, { access: "read", directory: true });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === "ENOENT") return null;
    throw noDirectory(target, error);
  }
}
