// Files of a host that loses its power: what was written to a file since its last `sync`, and names
// that were made or moved since the last `sync` of their directory, may be lost.
//
// The calls reach the real files at once; `lose` then takes back what no sync covered. Only what
// lies in the watched directory is taken back: a database beside it keeps its own promises.

import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import type { Files, OpenFlags, PathBytes } from "../../../../transport/runtime/files.ts";
import { filesOver } from "../../emulator/files_over.ts";
import type { SeededRandom } from "../../../simulation/seeded_random.ts";
import { files } from "../media/media_fixture.ts";
import { Crash } from "./vault_fixture.ts";

/** What becomes of that which no sync covered. */
export type Loss = "all" | "none" | "some";

type NameChange =
  | { readonly kind: "made"; readonly path: string }
  | { readonly kind: "moved"; readonly from: string; readonly path: string };

export class PowerLossFiles {
  readonly #directory: string;
  readonly #open = new Map<number, string>();
  /** Length of each file at its last sync, by its present name. */
  readonly #durable = new Map<string, number>();
  #names: NameChange[] = [];
  readonly #lastCall: number;
  /** Changing calls so far. */
  #calls = 0;

  /**
   * @param directory whose files and names may be lost
   * @param lastCall changing calls before the power goes
   */
  constructor(directory: string, lastCall: number) {
    this.#directory = directory;
    this.#lastCall = lastCall;
  }

  /** The files to hand to what is tried. */
  through(): Files {
    return filesOver(files, {
      open: (directory, path, flags) => this.#openFile(directory, path, flags),
      close: (descriptor) => {
        this.#open.delete(descriptor);
        files.close(descriptor);
      },
      writeAll: (descriptor, from) => this.#change(() => files.writeAll(descriptor, from)),
      writeAllAt: (descriptor, offset, from) =>
        this.#change(() => files.writeAllAt(descriptor, offset, from)),
      sync: (descriptor) =>
        this.#change(() => {
          files.sync(descriptor);
          this.#synced(this.#open.get(descriptor) ?? "");
        }),
      unlink: (directory, path, options) =>
        this.#change(() => files.unlink(directory, path, options)),
      rename: (fromDirectory, from, toDirectory, to) =>
        this.#change(() => {
          files.rename(fromDirectory, from, toDirectory, to);
          this.#durable.set(String(to), this.#durable.get(String(from)) ?? 0);
          this.#names.push({ kind: "moved", from: String(from), path: String(to) });
        }),
    });
  }

  /** The power is gone: closes what is open and takes back what was not durable. */
  lose(loss: Loss, random: SeededRandom): void {
    for (const descriptor of this.#open.keys()) files.close(descriptor);
    this.#open.clear();
    const isLost = () => loss === "all" || (loss === "some" && random.chance(0.5));
    for (const [path, durableBytes] of this.#durable) {
      if (path.startsWith(this.#directory) && isLost()) cutTo(path, durableBytes, random);
    }
    // A directory is written in the order of its changes: the last ones are lost first.
    for (const change of this.#names.reverse()) {
      if (!change.path.startsWith(this.#directory)) continue;
      if (!isLost()) return;
      if (change.kind === "made") rmSync(change.path, { force: true });
      else renameSync(change.path, change.from);
    }
  }

  #openFile(directory: number, path: PathBytes, flags: OpenFlags): number {
    const name = String(path);
    return this.#change(() => {
      const isNew = flags.create === true && !isThere(name);
      const descriptor = files.open(directory, path, flags);
      this.#open.set(descriptor, name);
      if (isNew) {
        this.#durable.set(name, 0);
        this.#names.push({ kind: "made", path: name });
      }
      return descriptor;
    });
  }

  #synced(path: string): void {
    if (path === this.#directory) this.#names = [];
    else if (this.#durable.has(path)) this.#durable.set(path, readFileSync(path).length);
  }

  #change<T>(body: () => T): T {
    if (this.#calls >= this.#lastCall) throw new Crash("no power");
    this.#calls++;
    return body();
  }
}

/** Cuts a file to what was durable, or leaves its length with other bytes, as file systems may. */
function cutTo(path: string, durableBytes: number, random: SeededRandom): void {
  if (!isThere(path)) return;
  const bytes = readFileSync(path);
  if (random.chance(0.5)) return truncateSync(path, Math.min(bytes.length, durableBytes));
  writeFileSync(path, bytes.fill(0, durableBytes));
}

function isThere(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
