// The directories of the package, which systemd makes or its script.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname ?? ".", "..", "..", "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("/run/agent lets a database's user pass to its socket, and look at nothing", () => {
  const [, bySystemd = ""] = /^d \/run\/agent (\d+) root agent -$/m
    .exec(read("scripts/systemd/agent.tmpfiles.conf")) ?? [];
  const [, byScript] = /install -d -m (\d+) -o root -g agent \/run\/agent$/m
    .exec(read("scripts/package/postinst")) ?? [];
  expect(byScript).toBe(bySystemd);
  expect(Number.parseInt(bySystemd, 8) & 0o7).toBe(0o1);
});
