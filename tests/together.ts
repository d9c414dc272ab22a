// Runs all test files of a folder in one module of Deno's test runner, each as a block with its
// path: `deno test … tests/together.ts -- tests/unit`. Bun does so by itself.

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gatherFile } from "./bun_test.ts";

const root = fileURLToPath(import.meta.resolve("../"));
for (const folder of Deno.args) {
  const names = readdirSync(`${root}${folder}`, { recursive: true }).map(String).sort();
  for (const name of names.filter((one) => one.endsWith(".test.ts"))) {
    const path = `${folder}/${name}`;
    await gatherFile(path, () => import(`../${path}`));
  }
}
