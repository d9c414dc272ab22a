// A file system of its own that a test can fill to the last byte.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { files, withFolder } from "../media/media_fixture.ts";

export class SmallDisk implements Disposable {
  readonly #place: string;

  private constructor(place: string) {
    this.#place = place;
  }

  /** Lies on a directory that is there. @returns null, and says so, where none may be mounted */
  static mount(place: string, size: string): SmallDisk | null {
    const mount = ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", place];
    if (spawnSync("mount", mount).status === 0) return new SmallDisk(place);
    process.stderr.write("SKIPPED: this machine does not permit to mount a tmpfs\n");
    return null;
  }

  /** Leaves so many bytes free, or what there is. @returns what empties the disk again */
  fill(leaveBytes: number): () => void {
    const { freeBytes } = files.fileSystem(this.#place);
    const filler = `${this.#place}/filler`;
    writeFileSync(filler, new Uint8Array(Math.max(0, freeBytes - leaveBytes)).fill(1));
    return () => rmSync(filler, { force: true });
  }

  [Symbol.dispose](): void {
    spawnSync("umount", ["-l", this.#place]);
  }
}

/** `fill` leaves so many bytes free and returns what empties the disk again. */
export async function withSmallDisk(
  size: string,
  body: (place: string, fill: (leaveBytes: number) => () => void) => void,
): Promise<void> {
  await withFolder((folder) => {
    const place = `${folder}/small`;
    mkdirSync(place);
    using disk = SmallDisk.mount(place, size);
    if (disk !== null) body(place, (leaveBytes) => disk.fill(leaveBytes));
  });
}
