// `agent find`: what a glob matches in any backup, each state of a path once, with the first and
// the last backup that have it. A matched directory includes its subtree.

import picomatch from "picomatch";
import { AgentError } from "../../transport/ground/error.ts";
import { type Catalog, type CatalogBackup, splitPath, toListed } from "../catalog/mod.ts";
import type { FoundEntry } from "../control/daemon.ts";
import { MAX_FOUND, STEP_ROWS } from "./limits.ts";
import { Selection } from "./selection.ts";

/**
 * Yields what matches, source by source in the order of a walk; null lets others run.
 * @throws AgentError `failed` when nothing matches or too much does
 */
export function* findEntries(catalog: Catalog, glob: string): Generator<FoundEntry | null> {
  const selection = new Selection([glob]);
  // What stands before the first wildcard says where to look; the matched object may be it.
  const { base } = picomatch.scan(glob);
  const { parent } = splitPath(new TextEncoder().encode(base === "" ? "/" : base));
  const generations = new Map<number, CatalogBackup[]>();
  for (const backup of catalog.backups()) {
    generations.set(backup.generation, [...generations.get(backup.generation) ?? [], backup]);
  }
  let found = 0;
  let looked = 0;
  for (const line of generations.values()) {
    const [oldest] = line;
    if (oldest === undefined) continue;
    for (const { row, first, end } of catalog.versions(oldest, parent)) {
      if (++looked % STEP_ROWS === 0) yield null;
      if (!selection.has(row.entry.path)) continue;
      const from = line.find((one) => one.number >= first);
      const until = line.findLast((one) => end === null || one.number < end);
      // Only backups that expired had it.
      if (from === undefined || until === undefined || from.number > until.number) continue;
      if (++found > MAX_FOUND) throw tooMuch(glob);
      const { client } = oldest;
      yield { ...toListed(row.entry), client, first: from.backup, last: until.backup };
    }
  }
  if (found > 0) return;
  throw new AgentError("failed", `Cannot find "${glob}": no backup has it, need a full path`, {
    hint: 'Start the glob with "/", for instance "/srv/**/*.conf".',
  });
}

function tooMuch(glob: string): AgentError {
  const message = `Cannot list what "${glob}" matches: more than ${MAX_FOUND} entries, need fewer`;
  return new AgentError("failed", message, { hint: "Give a glob that matches less." });
}
