// Random histories of a tree with a backup after each step: every backup restores exactly the tree
// of its time, by this program and by GNU tar, and the media alone make the same catalog again.
// Each history prints its seed; INCREMENTAL_SEED repeats one, INCREMENTAL_STEPS makes it longer.

import { describe, expect, test } from "bun:test";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { picture } from "../application/fixture.ts";
import { expectSameRebuilt } from "./catalog_rebuild.ts";
import { IncrementalBed } from "./incremental_bed.ts";
import { RandomTree } from "./random_tree.ts";

const given = process.env["INCREMENTAL_SEED"];
const fresh = Date.now() % 2 ** 31;
const seeds = given === undefined
  ? [1, 2, 3, 4, 431_871_015, ...Array.from({ length: 5 }, (_, at) => fresh + at)]
  : [Number(given)];
const steps = Number(process.env["INCREMENTAL_STEPS"] ?? 3);

/** The commands of GNU tar and the pictures of trees take most of it. */
const TIMEOUT_MS = 60_000;

interface Moment {
  readonly backup: string;
  readonly tree: string;
}

describe("backups of a tree that changes", () => {
  for (const seed of seeds) {
    test(`restore() gives the tree of its time, seed ${seed}`, () => {
      using bed = new IncrementalBed(32 * 1024);
      const random = new SeededRandom(seed);
      const tree = new RandomTree(bed.source, random);
      tree.grow(20);
      const moments: Moment[] = [];
      const history: string[] = [];
      for (let step = 0; step <= steps; step++) {
        if (step > 0) history.push(...tree.change(1 + random.below(8)), "back up");
        const full = step > 0 && random.chance(0.1);
        const { backup } = bed.backUp({ full, settled: random.chance(0.5) });
        moments.push({ backup: backup.backup, tree: picture(bed.source) });
        checkRestore(bed, moments.at(-1), history);
        checkRestore(bed, moments[random.below(moments.length)], history);
      }
      for (const moment of moments) {
        const { backup, tree } = moment;
        checkRestore(bed, moment, history);
        using replayed = bed.replay(backup);
        expect([backup, history, picture(replayed.path)]).toEqual([backup, history, tree]);
      }
      expectSameRebuilt(bed);
    }, TIMEOUT_MS);
  }
});

function checkRestore(
  bed: IncrementalBed,
  moment: Moment | undefined,
  history: readonly string[],
): void {
  const { backup, tree } = moment ?? { backup: "none", tree: "" };
  using restored = bed.restore(backup);
  expect(restored.warnings).toEqual([]);
  expect([backup, history, picture(restored.path)]).toEqual([backup, history, tree]);
}
