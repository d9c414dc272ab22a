// A directory for what a drill restores, which goes away with everything in it.
//
// Invariants: its owner holds a lock on it, which dies with the process, so that what a killed one
// left behind is known by its name and found unlocked, and goes too; removal never follows a link,
// and needs the depth of no tree: directories are moved to the top before they are emptied.

import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { MAX_REMOVAL_PASSES } from "./limits.ts";
import { makeDirectory } from "./media_store.ts";

const PREFIX = "agent-drill-";
const OPEN = { access: "read", directory: true, noFollow: true } as const;

/** Where drills restore to when nobody names another directory. */
export function scratchOf(vaultDirectory: string): string {
  return `${vaultDirectory}/drill`;
}

export class Scratch {
  /** Full path of the directory to fill; it is there. */
  readonly target: string;
  readonly #path: string;
  readonly #files: Files;
  readonly #descriptor: number;
  #open = true;

  private constructor(files: Files, path: string, descriptor: number) {
    this.#files = files;
    this.#path = path;
    this.target = `${path}/0`;
    this.#descriptor = descriptor;
  }

  /**
   * Makes one in `parent`, which is made too when it is missing, after it has removed what killed
   * drills left there.
   * @throws AgentError `failed` | `no_space`
   */
  static open(files: Files, parent: string, name: string): Scratch {
    const path = `${parent}/${PREFIX}${name}`;
    return withScratchErrors(`make scratch directory "${path}"`, () => {
      makeDirectory(files, parent);
      Scratch.removeLeftovers(files, parent);
      files.makeDirectory(AT_CWD, path, 0o700);
      const descriptor = files.open(AT_CWD, path, OPEN);
      files.lock(descriptor, "exclusive", { wait: false });
      files.makeDirectory(descriptor, "0", 0o700);
      return new Scratch(files, path, descriptor);
    });
  }

  /** Removes what killed drills left in a directory, if it is there. @throws SystemError */
  static removeLeftovers(files: Files, parent: string): void {
    const names = listIfThere(files, parent).filter((name) => name.startsWith(PREFIX));
    for (const name of names) {
      const path = `${parent}/${name}`;
      const descriptor = files.open(AT_CWD, path, OPEN);
      try {
        if (files.lock(descriptor, "exclusive", { wait: false })) {
          removeAll(files, path, descriptor);
        }
      } finally {
        files.close(descriptor);
      }
    }
  }

  /** Removes it with everything in it. Idempotent. @throws AgentError `failed` */
  remove(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      withScratchErrors(
        `remove scratch directory "${this.#path}"`,
        () => removeAll(this.#files, this.#path, this.#descriptor),
      );
    } finally {
      this.#files.close(this.#descriptor);
    }
  }
}

/** At the top are directories only, whose names are numbers. */
function removeAll(files: Files, path: string, root: number): void {
  const waiting = files.list(root).map(({ name }) => Number(new TextDecoder().decode(name)));
  let next = Math.max(-1, ...waiting) + 1;
  for (let top = waiting.pop(); top !== undefined; top = waiting.pop()) {
    const directory = files.open(root, `${top}`, OPEN);
    try {
      let left = true;
      for (let pass = 0; left && pass < MAX_REMOVAL_PASSES; pass++) {
        left = false;
        files.visitNames(directory, (name, type) => {
          left = true;
          const known = type === "unknown" ? files.stat(directory, name).type : type;
          if (known !== "directory") return files.unlink(directory, name);
          files.changeMode(directory, name, 0o700); // To move and to empty it.
          files.rename(directory, name, root, `${next}`);
          waiting.push(next++);
        });
      }
    } finally {
      files.close(directory);
    }
    files.unlink(root, `${top}`, { directory: true });
  }
  files.unlink(AT_CWD, path, { directory: true });
}

function listIfThere(files: Files, path: string): string[] {
  let descriptor: number;
  try {
    descriptor = files.open(AT_CWD, path, { access: "read", directory: true });
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return [];
    throw error;
  }
  try {
    return files.list(descriptor).map(({ name }) => new TextDecoder().decode(name));
  } finally {
    files.close(descriptor);
  }
}

function withScratchErrors<T>(doing: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const code = error.errno === "ENOSPC" || error.errno === "EDQUOT" ? "no_space" : "failed";
    throw new AgentError(code, `Cannot ${doing}: found ${error.errno}, need to write there`, {
      cause: error,
      hint: "Give `--scratch` a directory that the server can write to.",
    });
  }
}
