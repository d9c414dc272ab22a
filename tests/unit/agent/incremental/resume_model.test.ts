// Random histories of a tree whose backups are cut, by a failure or by the death of the server, once
// or several times in a row, while the tree changes: the backup that comes to its end at last holds
// exactly the tree of its time, by this program and by GNU tar, and the media alone make the same
// catalog again. Each history prints its seed; RESUME_SEED repeats one, RESUME_STEPS makes it longer.

import { rmSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { picture } from "../application/fixture.ts";
import { IncrementalBed } from "./incremental_bed.ts";
import { RandomTree } from "./random_tree.ts";

const given = process.env["RESUME_SEED"];
const fresh = Date.now() % 2 ** 31;
const seeds = given === undefined
  ? [1, 2, 3, 4, 5, ...Array.from({ length: 5 }, (_, at) => fresh + at)]
  : [Number(given)];
const steps = Number(process.env["RESUME_STEPS"] ?? 2);

/** The commands of GNU tar and the pictures of trees take most of it. */
const TIMEOUT_MS = 60_000;

interface Moment {
  readonly backup: string;
  readonly tree: string;
}

describe("backups that are cut", () => {
  for (const seed of seeds) {
    test(`the next one goes on and holds the tree of its time, seed ${seed}`, () => {
      using bed = new IncrementalBed(8 * 1024);
      const random = new SeededRandom(seed);
      const tree = new RandomTree(bed.source, random);
      tree.grow(30);
      const history: string[] = [];
      const moments: Moment[] = [];
      for (let step = 0; step <= steps; step++) {
        const options = { full: random.chance(0.2), settled: random.chance(0.5) };
        for (let cuts = random.below(4); cuts > 0; cuts--) {
          const cut = {
            records: 1 + random.below(12),
            share: random.chance(0.5) ? null : random.below(1000) / 1000,
          };
          bed.cutBackUp(options, cut);
          // A server that died starts again.
          if (cut.share !== null) bed.openVault().close();
          history.push(`cut ${JSON.stringify(cut)}`, ...tree.change(random.below(8)));
        }
        const { backup } = bed.backUp(options);
        history.push(`back up ${backup.backup}`);
        moments.push({ backup: backup.backup, tree: picture(bed.source) });
        expect([history, bed.partials()]).toEqual([history, []]);
        history.push(...tree.change(random.below(8)));
      }
      for (const moment of moments) check(bed, moment, history);
      checkRebuild(bed);
    }, TIMEOUT_MS);
  }
});

function check(bed: IncrementalBed, { backup, tree }: Moment, history: readonly string[]): void {
  using restored = bed.restore(backup);
  expect([backup, history, restored.warnings]).toEqual([backup, history, []]);
  expect([backup, history, picture(restored.path)]).toEqual([backup, history, tree]);
  using replayed = bed.replay(backup);
  expect([backup, history, picture(replayed.path)]).toEqual([backup, history, tree]);
  expect([backup, history, bed.findings(backup)]).toEqual([backup, history, []]);
}

function checkRebuild(bed: IncrementalBed): void {
  const before = bed.dump();
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(`${bed.vault}/catalog.sqlite${suffix}`, { force: true });
  }
  using vault = bed.openVault();
  expect(vault.recovery.unreadable).toEqual([]);
  expect(bed.dump()).toBe(before);
}
