// Loop devices for tests of raw volumes: a block device of any size and logical block over a file.
//
// The file lies in memory where there is a tmpfs, and has no name once the device is attached, so
// that only the device itself can be left behind. Whoever cannot attach one gets the reason.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface LoopOptions {
  readonly sizeBytes: number;
  readonly sectorBytes?: 512 | 4096;
}

export class LoopDevice implements Disposable {
  /** As in "/dev/loop3". */
  readonly path: string;

  /** @throws Error with what losetup said */
  constructor({ sizeBytes, sectorBytes = 512 }: LoopOptions) {
    const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "raw-test-"));
    try {
      const file = join(folder, "lun");
      writeFileSync(file, "");
      truncateSync(file, sizeBytes);
      const how = ["--find", "--show", "--direct-io=on", "--sector-size", String(sectorBytes)];
      this.path = run("losetup", ...how, file).trim();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  [Symbol.dispose](): void {
    run("losetup", "--detach", this.path);
  }
}

/** @throws Error with what the tool said */
export function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

/** Why no loop device can be attached here; null when one can. */
export const whyNoLoop: string | null = tryLoop();

function tryLoop(): string | null {
  try {
    new LoopDevice({ sizeBytes: 1024 * 1024, sectorBytes: 4096 })[Symbol.dispose]();
    return null;
  } catch (error) {
    return `loop devices are not permitted: ${error instanceof Error ? error.message : error}`;
  }
}
