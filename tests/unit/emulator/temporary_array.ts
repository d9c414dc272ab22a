// A place for an array of a test: a temporary folder and the parts of the current runtime.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArrayParts } from "../../../emulator/mod.ts";
import { currentRuntime } from "../../../transport/runtime/current_runtime.ts";

export interface TemporaryArray {
  /** Where to create the array; nothing is there yet. */
  readonly path: string;
  readonly parts: ArrayParts;
  /** @param unmount what lies below the array goes after its memory, and before the folder */
  dispose(unmount?: () => void): Promise<void>;
}

export async function temporaryArray(): Promise<TemporaryArray> {
  const parts = await currentRuntime();
  const folder = mkdtempSync(join(tmpdir(), "array-test-"));
  return {
    path: join(folder, "array"),
    parts,
    dispose(unmount): Promise<void> {
      removeMemory(join(folder, "array", "array.json"));
      unmount?.();
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** Boards outside of the folder go too, even while a failed test is still attached to them. */
function removeMemory(geometryPath: string): void {
  if (!existsSync(geometryPath)) return;
  const memory = /"memory": "(\/dev\/shm\/agent-array-[0-9a-f-]{36})"/
    .exec(readFileSync(geometryPath, "utf8"))?.[1];
  if (memory !== undefined) rmSync(memory, { recursive: true, force: true });
}

/** A seeded generator for random runs: numbers in [0, limit). */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
