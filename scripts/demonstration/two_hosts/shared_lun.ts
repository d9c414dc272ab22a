// A LUN that all hosts on this machine see: a loop device over a file in memory, which can be taken
// away from all of them while they use it.
//
// Invariants:
//  1. The kernel detaches the device when its last user closes it (`losetup -d` on a device in use
//     asks for that), so that nothing is left on the machine after any end of the bed and of the
//     programs that it runs (stage.ts).
//  2. After `takeAway()` each read and each write on the device fails with EIO, also those of
//     programs that have it open, as with a LUN whose paths are gone. It does not come back.
//
// Chosen among the ways to fail a device because both directions fail at once and for good: the
// device mapper is not in every kernel; a truncated plain file grows again with the next write;
// a read-only device refuses writes with EPERM and still answers reads; and a file system that is
// too small for its file refuses to shrink below what late writes have taken in the meantime.

import { closeSync, openSync } from "node:fs";
import { needTool } from "../run_tool.ts";
import { MemoryFile } from "./memory_file.ts";

/** A loop device; its reads and writes bypass the page cache, on both sides. */
export class SharedLun implements Disposable {
  /** Path of the block device. */
  readonly path: string;
  readonly #file: MemoryFile;
  #holder: number;

  private constructor(path: string, file: MemoryFile, holder: number) {
    this.path = path;
    this.#file = file;
    this.#holder = holder;
  }

  /** @throws Error where loop devices are not permitted */
  static async make(sizeBytes: number): Promise<SharedLun> {
    const file = await MemoryFile.make(sizeBytes);
    try {
      const attach = ["losetup", "--find", "--show", "--direct-io=on", file.path];
      const path = new TextDecoder().decode(await needTool(attach)).trim();
      try {
        return new SharedLun(path, file, openSync(path, "r"));
      } finally {
        await needTool(["losetup", "--detach", path]);
      }
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  /** Fails every read and write from now on. */
  takeAway(): void {
    this.#file.empty();
  }

  [Symbol.dispose](): void {
    if (this.#holder >= 0) closeSync(this.#holder);
    this.#holder = -1;
    this.#file[Symbol.dispose]();
  }
}
