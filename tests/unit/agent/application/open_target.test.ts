// The directories that a restore makes above what it restores.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { openTarget } from "../../../../agent/application/open_target.ts";
import { files, makeFolder, removeFolder } from "./fixture.ts";

let folder = "";
let mask = 0;
beforeEach(() => {
  folder = makeFolder();
  mask = process.umask(0o077);
});
afterEach(() => {
  process.umask(mask);
  removeFolder(folder);
});

test("openTarget() makes directories that owners of what is restored pass, whatever umask is", () => {
  const modeOf = (name: string) => statSync(join(folder, name)).mode & 0o7777;
  mkdirSync(join(folder, "there"));
  chmodSync(join(folder, "there"), 0o2700);
  files.close(openTarget(files, join(folder, "there/deep/target")));
  expect(modeOf("there")).toBe(0o2700);
  for (const made of ["there/deep", "there/deep/target"]) expect(modeOf(made)).toBe(0o2755);
  files.close(openTarget(files, join(folder, "plain")));
  expect(modeOf("plain")).toBe(0o755);
});
