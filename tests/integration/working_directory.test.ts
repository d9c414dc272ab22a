// A working directory full of files that runtimes like to load changes nothing: a service may be
// started anywhere, and who can write there must not become its user.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../agent/daemon_parts.ts";
import { Bed } from "./bed.ts";
import { runProgram } from "./program.ts";

const TIMEOUT_MS = 120_000;
/** So many small files that a restore has a second thread for them. */
const FILES = 300;

/** What a service runs: the binary; or the sources as scripts/agent starts them, never bundled. */
const binary = process.env["AGENT_BINARY"] ?? "";
const command = [
  binary === "" ? fileURLToPath(import.meta.resolve("../../scripts/agent")) : binary,
];

/** Packages that the program uses, some of them only in threads or late. */
const PACKAGES = ["zod", "hono", "yaml", "age-encryption", "@logtape/logtape"];

/** Files that runtimes like to load; whichever is loaded makes the file "taken". */
function makeHostile(folder: string): void {
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  const taken = JSON.stringify(join(folder, "taken"));
  const evil = `require("node:fs").writeFileSync(${taken}, "");`;
  const module = `import fs from "node:fs"; fs.writeFileSync(${taken}, "");`;
  write("evil.cjs", evil);
  write("evil.ts", module);
  write(
    "bunfig.toml",
    'preload = ["./evil.ts"]\n[run]\nbun = true\n[test]\npreload = ["./evil.ts"]\n',
  );
  write(".env", "AGENT_CONTROL=unix:/hostile.sock\nNODE_OPTIONS=--require=./evil.cjs\n");
  for (const name of [".env.local", ".env.production"]) {
    write(name, "AGENT_CONTROL=unix:/hostile.sock\n");
  }
  write(
    "package.json",
    '{ "type": "commonjs", "imports": { "#*": "./evil.ts" }, "main": "evil.cjs" }',
  );
  write("deno.json", '{ "imports": { "node:path": "./evil.ts", "zod": "./evil.ts" } }');
  write("tsconfig.json", '{ "compilerOptions": { "paths": { "*": ["./evil.ts"] } } }');
  write("import_map.json", '{ "imports": { "zod": "./evil.ts" } }');
  for (const name of PACKAGES) {
    write(`node_modules/${name}/package.json`, `{ "name": "${name}", "main": "index.cjs" }`);
    write(`node_modules/${name}/index.cjs`, evil);
  }
}

describe("working directory", () => {
  let folder = "";
  const path = (name: string) => join(folder, name);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "agent-hostile-"));
    makeHostile(folder);
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

  test("no file in it is loaded by daemons and their threads", async () => {
    await using bed = await Bed.make();
    makeHostile(bed.folder);
    await Promise.all([bed.start("server", { command }), bed.start("client", { command })]);
    mkdirSync(bed.path("data"));
    for (let number = 0; number < FILES; number++) bed.write(`data/${number}`, `text ${number}`);
    const backup = ["backup", "filesystem", "--client", "web01", bed.path("data")];
    const { backup: made } = await bed.job("server", ...backup);
    await bed.job("server", "restore", made ?? "", "--target", bed.path("restored"));
    expect(readdirSync(bed.path("restored", bed.path("data"))).length).toBe(FILES);
    expect(existsSync(bed.path("taken"))).toBe(false);
  }, TIMEOUT_MS);
});
