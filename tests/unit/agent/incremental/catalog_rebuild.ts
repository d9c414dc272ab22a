// The catalog made again from the media alone: the same as it was.

import { expect } from "bun:test";
import { rmSync } from "node:fs";
import type { IncrementalBed } from "./incremental_bed.ts";

export function expectSameRebuilt(bed: IncrementalBed): void {
  const before = bed.dump();
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(`${bed.vault}/catalog.sqlite${suffix}`, { force: true });
  }
  using vault = bed.openVault();
  expect(vault.recovery.unreadable).toEqual([]);
  expect(bed.dump()).toBe(before);
}
