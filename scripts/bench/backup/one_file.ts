// What it costs to restore one small file out of a backup of everything.

import { join } from "node:path";
import { type BackupBed, sizeOf } from "./backup_bed.ts";
import type { BackupFigures } from "./backup_figures.ts";

/** Backs everything up once, and restores one file out of it, a few times. */
export async function measureOneFile(bed: BackupBed, runs: number): Promise<BackupFigures[]> {
  bed.agent.dropMedia();
  await bed.readIn("all");
  await bed.agent.backUp(bed.source("all"));
  const storedBytes = sizeOf(bed.agent.archive).bytes;
  const figures: BackupFigures[] = [];
  for (let run = 0; run < runs; run++) {
    const target = bed.makeTarget();
    const cost = await bed.agent.restoreOne(target, join(bed.source("small"), "one.txt"));
    if (sizeOf(target).files !== 1) throw new Error("the agent restored more than one file");
    bed.drop(target);
    figures.push({ ...cost, storedBytes });
  }
  bed.agent.dropMedia();
  return figures;
}
