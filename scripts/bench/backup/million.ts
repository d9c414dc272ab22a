// What a backup of very many files costs in memory and in the catalog, and a look into it.

import { join } from "node:path";
import { median } from "../median.ts";
import type { BackupBed } from "./backup_bed.ts";
import type { BackupFigures } from "./backup_figures.ts";

const LISTINGS = 5;

/** @param files count of the files that the bed's small set has */
export async function measureMillion(
  bed: BackupBed,
  files: number,
  note: (text: string) => void,
): Promise<BackupFigures> {
  const source = bed.source("small");
  const emptyBytes = bed.agent.catalogBytes();
  const full = await bed.agent.backUp(source);
  note(`full backup: ${JSON.stringify(full)}`);
  const fullBytes = bed.agent.catalogBytes();
  const again = await bed.agent.backUpAgain(source);
  note(`again: ${JSON.stringify(again)}`);
  const catalogGrowthBytes = bed.agent.catalogBytes() - fullBytes;
  const listings: number[] = [];
  for (let run = 0; run < LISTINGS; run++) {
    listings.push(await bed.agent.list(join(source, "folder0")));
  }
  const restored = await bed.agent.restore(bed.makeTarget());
  note(`restore: ${JSON.stringify(restored)}`);
  const costs = [full, again, restored];
  return {
    serverMib: Math.max(...costs.map((one) => one.serverMib ?? NaN)),
    clientMib: Math.max(...costs.map((one) => one.clientMib ?? NaN)),
    catalogBytesPerFile: (fullBytes - emptyBytes) / files,
    catalogGrowthBytes,
    lsMs: median(listings),
  };
}
