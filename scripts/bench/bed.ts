// Where the benchmark's groups lie: an array on tmpfs and, as root where loop devices are to be
// had, a loop device over a tmpfs file, opened directly.
//
// Disposing gives everything back: device, array, folder.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openVolumes } from "../../agent/compose.ts";
import type { StgConfig } from "../../agent/config/mod.ts";
import { sourceOf } from "../../agent/stg/mod.ts";
import { createArray, removeArray } from "../../emulator/mod.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import { formatStg } from "../../transport/stp/mod.ts";
import { DEVICE_BYTES, VOLUME_BYTES } from "./limits.ts";
import { RING_FILE_BYTES } from "./ring_stream.ts";

/** How a group is laid out; what is absent is the format's default. */
export interface Layout {
  readonly payloadBytes?: number;
  readonly ringSlots?: number;
}

export class BenchBed implements AsyncDisposable {
  readonly folder: string;
  readonly array: StgConfig;
  readonly #runtime: Runtime;
  #device: string | null = null;

  private constructor(runtime: Runtime) {
    this.#runtime = runtime;
    // On tmpfs, so that the ring's file and the devices are memory.
    this.folder = mkdtempSync("/dev/shm/bench-");
    const array = join(this.folder, "array");
    this.array = { ...GROUP, name: "bench", array, volumes: ["v0", "v1"] };
  }

  static async make(runtime: Runtime): Promise<BenchBed> {
    const bed = new BenchBed(runtime);
    try {
      createArray(bed.#arrayPath, { volumes: 2, volumeBytes: VOLUME_BYTES }, runtime);
      await bed.format(bed.array);
      return bed;
    } catch (error) {
      bed.clear();
      throw error;
    }
  }

  get ring(): string {
    return join(this.folder, "ring");
  }

  /** A ring's file that was never used. */
  freshRing(): void {
    rmSync(this.ring, { force: true });
    writeFileSync(this.ring, "");
    truncateSync(this.ring, RING_FILE_BYTES);
  }

  /** Lays the group out anew. */
  async format(stg: StgConfig, layout: Layout = {}): Promise<void> {
    const opened = await openVolumes(this.#runtime, sourceOf(stg), "bench");
    try {
      const { volumes } = opened;
      const { random } = this.#runtime;
      await formatStg({ name: stg.name, volumes, random, force: true, ...layout });
    } finally {
      opened.close();
    }
  }

  /** A loop device whose every block was written. @throws Error where there are none */
  device(): string {
    if (this.#device !== null) return this.#device;
    const file = join(this.folder, "lun");
    writeFileSync(file, "");
    truncateSync(file, DEVICE_BYTES);
    const found = tool("losetup", "--find", "--show", "--direct-io=on", file).trim();
    this.#device = found;
    // Holes of the file are read from nowhere: much too fast.
    tool("dd", "if=/dev/zero", `of=${found}`, "bs=1M", "oflag=direct", "status=none", WHOLE);
    return found;
  }

  /** A group on the loop device. */
  async raw(): Promise<StgConfig> {
    const stg = { ...GROUP, name: "benchraw", array: null, volumes: [this.device()] };
    await this.format(stg);
    return stg;
  }

  /** Gives everything back, from a signal handler too. */
  clear(): void {
    const device = this.#device;
    this.#device = null;
    if (device !== null) tool("losetup", "--detach", device);
    try {
      removeArray(this.#arrayPath, this.#runtime);
    } catch (error) {
      if (existsSync(this.#arrayPath)) throw error;
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.clear();
    return Promise.resolve();
  }

  get #arrayPath(): string {
    return this.array.array ?? "";
  }
}

const GROUP = { host: 1, heartbeatMs: 1000, deadTimeMs: 10_000, encrypt: false } as const;
const WHOLE = `count=${DEVICE_BYTES / 1024 ** 2}`;

function tool(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
