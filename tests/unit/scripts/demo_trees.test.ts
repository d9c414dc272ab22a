// The demo's comparison must see every kind of difference: each is made once on purpose.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareTrees, sizeOfTree } from "../../../scripts/demonstration/compare_trees.ts";
import { readTreeFacts } from "../../../scripts/demonstration/tree_facts.ts";

let folder = "";
const one = (): string => join(folder, "one");
const two = (): string => join(folder, "two");

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "demo-trees-"));
  fs.mkdirSync(join(one(), "inner"), { recursive: true });
  fs.writeFileSync(join(one(), "inner/file"), "content");
  fs.linkSync(join(one(), "inner/file"), join(one(), "second name"));
  fs.symlinkSync("inner/file", join(one(), "link"));
  fs.writeFileSync(join(one(), "empty"), "");
  fs.writeFileSync(join(one(), "line\nbreak"), "x");
  execFileSync("sh", ["-c", "printf x > \"$(printf 'not\\377utf8')\""], { cwd: one() });
  execFileSync("touch", ["-d", "2001-02-03 04:05:06.123456789", join(one(), "empty")]);
  execFileSync("cp", ["-a", one(), two()]);
});

afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

async function differences(): Promise<string[]> {
  return compareTrees(await readTreeFacts(one()), await readTreeFacts(two()));
}

describe("compareTrees()", () => {
  test("says nothing about a copy that keeps everything", async () => {
    expect(await differences()).toEqual([]);
  });
  test("leaves names outside of the tree alone", async () => {
    fs.linkSync(join(one(), "empty"), join(folder, "outside"));
    expect(await differences()).toEqual([]);
  });
  const CHANGES: readonly (readonly [string, string, string])[] = [
    [
      "content of the same size",
      "m=$(stat -c @%.Y inner/file); printf CONTENT > inner/file; " +
      'touch -d "$m" inner/file',
      "digest",
    ],
    ["mode", "chmod 600 empty", "mode"],
    ["one nanosecond", "touch -d '2001-02-03 04:05:06.123456788' empty", "mtime"],
    ["target of a link", 'm=$(stat -c @%.Y .); ln -sfn empty link; touch -d "$m" .', "target"],
    [
      "a name that is gone",
      "m=$(stat -c @%.Y .); rm \"$(printf 'not\\377utf8')\"; " +
      'touch -d "$m" .',
      "missing",
    ],
    ["a name that is new", 'm=$(stat -c @%.Y .); : > new; touch -d "$m" .', "was not in"],
    [
      "a hard link that became a copy",
      "m=$(stat -c @%.Y .); cp -a 'second name' x; " +
      "mv x 'second name'; touch -d \"$m\" .",
      "linkedTo",
    ],
    ["an extended attribute", "setfattr -n user.note -v x inner/file", "attributes"],
    ["time of a directory", "touch -d @5 inner", "mtime"],
    ["type", 'm=$(stat -c @%.Y .); rm empty; mkdir empty; touch -d "$m" .', "type"],
  ];
  for (const [what, script, found] of CHANGES) {
    test(`sees ${what}`, async () => {
      execFileSync("sh", ["-c", script], { cwd: two() });
      const seen = await differences();
      expect(seen.join("\n")).toContain(found);
    });
  }
  test("sizeOfTree() counts a hard-link group's bytes once", async () => {
    expect(sizeOfTree(await readTreeFacts(one()))).toEqual({ objects: 8, bytes: 9 });
  });
});
