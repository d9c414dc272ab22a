// Loop devices for tests of raw volumes: a block device of any size and logical block over a file.
//
// The file lies in memory where there is a tmpfs, and has no name once the device is attached. The
// device is told to go when its last user closes it, and this process holds it open until then:
// nothing is left behind, not even by a test run that was killed.

import { describe } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface LoopOptions {
  readonly sizeBytes: number;
  readonly sectorBytes?: 512 | 4096;
  readonly isReadOnly?: boolean;
}

export class LoopDevice implements Disposable {
  /** As in "/dev/loop3". */
  readonly path: string;
  readonly #hold: number;

  /** @throws Error with what losetup said */
  constructor({ sizeBytes, sectorBytes = 512, isReadOnly = false }: LoopOptions) {
    const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "raw-test-"));
    try {
      const file = join(folder, "lun");
      writeFileSync(file, "");
      truncateSync(file, sizeBytes);
      const how = ["--find", "--show", "--direct-io=on", "--sector-size", String(sectorBytes)];
      if (isReadOnly) how.push("--read-only");
      this.path = run("losetup", ...how, file).trim();
      this.#hold = openSync(this.path, "r");
      run("losetup", "--detach", this.path);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#hold);
  }
}

/** @throws Error with what the tool said */
export function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

/** A suite that needs loop devices: skipped, with the reason in its title, where there are none. */
export function describeOnLoop(title: string, tests: () => void): void {
  const isPossible = whyNoLoop === null;
  (isPossible ? describe : describe.skip)(isPossible ? title : `${title} (${whyNoLoop})`, tests);
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
