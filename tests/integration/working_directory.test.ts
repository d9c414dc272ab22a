// A working directory full of files that runtimes like to load changes nothing: a service may be
// started anywhere, and who can write there must not become its user.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../agent/daemon_parts.ts";
import { runProgram } from "./program.ts";

const TIMEOUT_MS = 60_000;

/** What a service runs: the binary; or the sources as scripts/agent starts them, never bundled. */
const binary = process.env["AGENT_BINARY"] ?? "";
const command = [
  binary === "" ? fileURLToPath(import.meta.resolve("../../scripts/agent")) : binary,
];

describe("working directory", () => {
  let folder = "";
  const path = (name: string) => join(folder, name);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "agent-hostile-"));
    const evil = `require("node:fs").writeFileSync(${JSON.stringify(path("taken"))}, "");`;
    const module = `import fs from "node:fs"; fs.writeFileSync(${
      JSON.stringify(path("taken"))
    }, "");`;
    const files: Readonly<Record<string, string>> = {
      "evil.cjs": evil,
      "evil.ts": module,
      "bunfig.toml":
        'preload = ["./evil.ts"]\n[run]\nbun = true\n[test]\npreload = ["./evil.ts"]\n',
      ".env": "AGENT_CONTROL=unix:/hostile.sock\nNODE_OPTIONS=--require=./evil.cjs\n",
      ".env.local": "AGENT_CONTROL=unix:/hostile.sock\n",
      ".env.production": "AGENT_CONTROL=unix:/hostile.sock\n",
      "package.json":
        '{ "type": "commonjs", "imports": { "#*": "./evil.ts" }, "main": "evil.cjs" }',
      "deno.json": '{ "imports": { "node:path": "./evil.ts", "zod": "./evil.ts" } }',
      "tsconfig.json": '{ "compilerOptions": { "paths": { "*": ["./evil.ts"] } } }',
      "import_map.json": '{ "imports": { "zod": "./evil.ts" } }',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(path(name), text);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("no file in it is loaded, and no variable comes from it", async () => {
    const version = await runProgram(["--version"], { cwd: folder, command });
    expect([version.code, version.stdout, version.stderr]).toEqual([0, `agent ${VERSION}\n`, ""]);
    const env = { AGENT_CONTROL: "" };
    const status = await runProgram(["status"], { cwd: folder, env, command });
    expect(status.code).toBe(15);
    expect(status.stderr).toContain('"unix:/run/agent/control.sock"');
    // A library that loads late.
    const made = await runProgram(["pki", "init", "pki"], { cwd: folder, command });
    expect([made.code, existsSync(path("pki/ca.pem"))]).toEqual([0, true]);
    expect(existsSync(path("taken"))).toBe(false);
  }, TIMEOUT_MS);
});
