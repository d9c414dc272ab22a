// What an incremental backup takes when the answer to what is left out changes between two of the
// same selection: our tree and the one that GNU tar replays lose and win the same names.

import { mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { shell } from "../application/fixture.ts";
import { IncrementalBed } from "./incremental_bed.ts";

const SELECTION = {
  exclude: ["*.log", "!keep.log"],
  excludeCaches: true,
  oneFileSystem: true,
  excludeLargerThan: 1000,
  ignoreFile: ".agentignore",
} as const;

/** Names of a tree, without the directories' dots. */
function names(folder: string): string[] {
  return shell(folder, "find . -mindepth 1 -printf '%P\\n' | sort").split("\n").filter(Boolean);
}

/** Backs up and expects exactly these names, restored by us and by GNU tar. */
function expectTree(
  bed: IncrementalBed,
  level: "full" | "incremental",
  expected: readonly string[],
): void {
  const { backup } = bed.backUp({ ...SELECTION, settled: true });
  expect(backup.level).toBe(level);
  using restored = bed.restore(backup.backup);
  expect(names(restored.path)).toEqual([...expected]);
  using replayed = bed.replay(backup.backup);
  expect(names(replayed.path)).toEqual([...expected]);
}

describe("an incremental backup of a selection", () => {
  test("follows what the rules say now, although nothing else of a directory changed", () => {
    using bed = new IncrementalBed();
    const at = (name: string) => `${bed.source}/${name}`;
    for (const name of ["cache", "grows", "ignored"]) {
      mkdirSync(at(name));
      writeFileSync(at(`${name}/a`), "a");
      writeFileSync(at(`${name}/b`), "b");
    }
    writeFileSync(at("cache/CACHEDIR.TAG"), "Signature: to come");
    writeFileSync(at("ignored/.agentignore"), "# nothing yet");
    writeFileSync(at("grows/keep.log"), "log");
    writeFileSync(at("grows/out.log"), "log");
    const fixed = ["cache", "cache/CACHEDIR.TAG", "grows", "grows/a", "grows/keep.log"];
    const ends = ["ignored", "ignored/.agentignore", "ignored/a"];
    const all = ["cache/a", "cache/b", "grows/b", "ignored/b", ...fixed, ...ends].sort();
    expectTree(bed, "full", all);
    writeFileSync(at("cache/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55");
    writeFileSync(at("ignored/.agentignore"), "b\n");
    writeFileSync(at("grows/b"), "b".repeat(1001));
    expectTree(bed, "incremental", [...fixed, ...ends]);
    writeFileSync(at("cache/CACHEDIR.TAG"), "Signature: gone");
    unlinkSync(at("ignored/.agentignore"));
    writeFileSync(at("grows/b"), "b");
    expectTree(bed, "incremental", all.filter((name) => name !== "ignored/.agentignore"));
  });

  test("builds on none of another selection, and the catalog is the same when made again", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/a`, "a");
    const selections = [
      {},
      { exclude: ["a", "b"] },
      { exclude: ["a", "!b"] },
      { exclude: ["!b", "a"] },
      { excludeCaches: true },
      { oneFileSystem: true },
      { excludeLargerThan: 1 },
      { ignoreFile: "a" },
      SELECTION,
    ];
    const made = selections.map((selection) => bed.backUp(selection).backup);
    expect(new Set(made.map(({ level }) => level))).toEqual(new Set(["full"]));
    for (const [index, selection] of selections.entries()) {
      const { backup } = bed.backUp(selection);
      expect(backup).toMatchObject({ level: "incremental", parent: made[index]?.backup });
      expect(backup).toMatchObject(selection);
    }
    // Without "!" the order of rules means nothing.
    expect(bed.backUp({ exclude: ["b", "a"] }).backup.parent).toBe("b0011");
    const before = bed.dump();
    unlinkSync(`${bed.vault}/catalog.sqlite`);
    bed.openVault().close();
    expect(bed.dump()).toBe(before);
  });
});
