// The arrays and bare files of the array's benchmark, all below one folder on tmpfs: an array's
// memory boards, too, so that removing the folder leaves nothing. Disposing removes it.

import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createArray } from "../../../emulator/mod.ts";
import type { Runtime } from "../../../transport/runtime/runtime.ts";
import type { ArrayFigures } from "./array_task.ts";
import { LARGE_DEVICE_BYTES, TRACK_BYTES, TRACKS_FIXED } from "./limits.ts";

export class ArrayBed implements Disposable {
  readonly #folder = mkdtempSync("/dev/shm/bench-array-");
  readonly #runtime: Runtime;
  #made = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** An array of one device. */
  array(volumeBytes: number, cacheBytes: number): string {
    const path = join(this.#folder, `array${this.#made++}`);
    const options = { volumes: 1, volumeBytes, cacheBytes, memory: "memory" };
    createArray(path, options, this.#runtime);
    return path;
  }

  file(sizeBytes: number): string {
    const path = join(this.#folder, `file${this.#made++}`);
    writeFileSync(path, "");
    truncateSync(path, sizeBytes);
    return path;
  }

  /** Gives back what `array` or `file` made: the next one needs the memory. */
  drop(path: string): void {
    rmSync(path, { recursive: true });
  }

  /** Creates the large device, and counts what it takes besides the cache's slots. */
  create(): ArrayFigures {
    const { clock } = this.#runtime;
    const cacheBytes = TRACKS_FIXED * TRACK_BYTES;
    const sinceMs = clock.monotonicMs();
    const path = this.array(LARGE_DEVICE_BYTES, cacheBytes);
    const createSeconds = (clock.monotonicMs() - sinceMs) / 1000;
    const metadataBytes = allocatedBytes(path) - cacheBytes;
    this.drop(path);
    return { createSeconds, metadataBytes };
  }

  clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}

/** Blocks that the files of a directory take, in bytes. */
function allocatedBytes(directory: string): number {
  return readdirSync(directory, { recursive: true })
    .map((name) => statSync(join(directory, String(name))).blocks * 512)
    .reduce((sum, bytes) => sum + bytes, 0);
}
