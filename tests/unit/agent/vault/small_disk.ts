// A file system of its own that a test can fill to the last byte.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { files, withFolder } from "../media/media_fixture.ts";

/** `fill` leaves so many bytes free and returns what empties the disk again. */
export async function withSmallDisk(
  size: string,
  body: (place: string, fill: (leaveBytes: number) => () => void) => void,
): Promise<void> {
  await withFolder((folder) => {
    const place = `${folder}/small`;
    mkdirSync(place);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", place]).status !== 0) {
      process.stderr.write("SKIPPED: this machine does not permit to mount a tmpfs\n");
      return;
    }
    try {
      body(place, (leaveBytes) => {
        const { freeBytes } = files.fileSystem(place);
        writeFileSync(`${place}/filler`, new Uint8Array(freeBytes - leaveBytes).fill(1));
        return () => rmSync(`${place}/filler`);
      });
    } finally {
      spawnSync("umount", ["-l", place]);
    }
  });
}
