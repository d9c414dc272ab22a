// The array and the group of a bed, made and removed in this process: for most tests they are only
// what the test stands on, and each command of the program costs a start. The commands themselves
// are tried by bad_start, raw_volumes and validate.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { formatGroup } from "../../agent/compose_format.ts";
import { loadServerConfig, parseSize, requireConfig } from "../../agent/config/mod.ts";
import { createArray, removeArray } from "../../emulator/mod.ts";
import { currentRuntime } from "../../transport/runtime/current_runtime.ts";

/** Bytes of a bed's cache: less than its volumes, so that tracks are evicted as well. */
const CACHE_BYTES = 16 * 1024 * 1024;

/** Two volumes of `size`. */
export async function makeBedArray(directory: string, size: string): Promise<void> {
  const volumeBytes = parseSize(size);
  if (volumeBytes === null) throw new Error(`${size} is a size`);
  createArray(
    directory,
    { volumes: 2, volumeBytes, cacheBytes: CACHE_BYTES },
    await currentRuntime(),
  );
}

/** Formats the first group of a server's configuration. */
export async function formatBedGroup(file: string): Promise<void> {
  const { stgs: [group] } = requireConfig(loadServerConfig(readFileSync(file, "utf8"), { file }));
  if (group === undefined) throw new Error(`${file} has a group`);
  await formatGroup(await currentRuntime(), group, { force: false });
}

/** What is left of its memory after damage is removed by its name. */
export async function removeBedArray(directory: string): Promise<void> {
  let memory = "";
  try {
    memory = JSON.parse(readFileSync(join(directory, "array.json"), "utf8")).memory;
  } catch {
    return; // It was never made, or the test removed it.
  }
  try {
    removeArray(directory, await currentRuntime());
  } catch {
    // Damaged by the test.
  }
  if (memory.startsWith("/dev/shm/agent-array-")) {
    rmSync(memory, { recursive: true, force: true });
  }
}
