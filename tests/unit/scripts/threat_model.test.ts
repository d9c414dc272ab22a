// Each claim of the threat model names a test that is there.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url).href);

test("docs/threat-model.md names tests that are there", () => {
  const rows = readFileSync(`${ROOT}docs/threat-model.md`, "utf8").split("\n")
    .flatMap((line) => {
      const [, file, name] = /`(tests\/[\w/.]+)`: (.*?)\s*\|$/.exec(line) ?? [];
      return file === undefined || name === undefined ? [] : [{ file, name }];
    });
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows.filter(({ file, name }) =>
    !readFileSync(`${ROOT}${file}`, "utf8").includes(name)
  );
  expect(missing).toEqual([]);
});
