// The exit code of a program that cannot load one of its own modules, or that meets one that
// throws: PostgreSQL reads 1 of `wal get` as "that file is not in the archive", and ends its
// recovery on it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(import.meta.resolve("../../../"));
const COPIED = ["mod.ts", "main.ts", "deno.json", "package.json", "agent", "emulator", "transport"];
const SEGMENT = "000000010000000000000001";
const TIMEOUT_MS = 60_000;
const RUNTIME = process.versions["bun"] === undefined ? "deno" : "bun";

/** Commands with the exit code of an internal error of theirs. */
const GET: readonly [number, ...string[]] = [126, "wal", "get", SEGMENT, "got", "--database", "pg"];
const COMMANDS = [GET, [70, "wal", "push", SEGMENT, "--database", "pg"], [70, "status"]] as const;

const OF_RUNTIME = `transport/runtime/${RUNTIME}.ts`;

/** What `wal get` loads, from the runtime up. */
const MODULES = [
  OF_RUNTIME,
  "transport/runtime/current_runtime.ts",
  "transport/ground/error.ts",
  "agent/log_program.ts",
  "agent/cli/parse_args.ts",
];

describe("startProgram()", () => {
  let folder = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "start-program-"));
    for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(
    args: readonly string[],
    entry = "main.ts",
  ): { code: number | null; said: string } {
    const how = RUNTIME === "bun" ? [] : ["run", "--quiet", "-A", "--no-prompt"];
    const words = [...how, join(folder, entry), ...args, "--control", `unix:${folder}/none`];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    return { code: status, said: stderr };
  }

  /** Runs commands with other content of a module; null for none at all. */
  function expectInternal(
    module: string,
    content: string | null,
    commands: readonly (readonly [number, ...string[]])[],
  ): void {
    const path = join(folder, module);
    const whole = readFileSync(path);
    try {
      if (content === null) rmSync(path);
      else writeFileSync(path, content);
      for (const [code, ...args] of commands) {
        const ended = run(args);
        const isTold = ended.said.includes("agent: internal error, an unexpected error: ");
        expect([module, ...args, isTold, ended.code]).toEqual([module, ...args, true, code]);
      }
    } finally {
      writeFileSync(path, whole);
    }
  }

  test("does what it shall when nothing is broken", () => {
    const [code, ...args] = GET;
    const fetched = run(args);
    expect([fetched.code, fetched.said.includes("Cannot reach the daemon")]).toEqual([code, true]);
  }, TIMEOUT_MS);

  test("is what the door of the library starts, too", async () => {
    const { code, said } = run(["status"], "mod.ts");
    expect([code, said.includes("Cannot reach the daemon")]).toEqual([15, true]);
    expect((await import("../../../mod.ts")).ConnectLayer).toBeDefined();
  }, TIMEOUT_MS);

  test("ends with each command's code of an internal error when there is no runtime", () => {
    expectInternal(OF_RUNTIME, null, COMMANDS);
  }, TIMEOUT_MS);

  test("ends `wal get` with 126 whichever module is missing", () => {
    for (const module of MODULES) expectInternal(module, null, [GET]);
  }, TIMEOUT_MS);

  const contents = {
    "throws at once": 'throw new Error("it is broken");',
    "is not TypeScript": "const = ;",
    "has lost its exports": "export const nothing = null;",
    "throws later, uncaught": `export const ${RUNTIME}Runtime = () => new Promise(() => {
  setTimeout(() => { throw new Error("it is broken"); });
});`,
  };
  for (const [what, content] of Object.entries(contents)) {
    test(`ends \`wal get\` with 126 when the runtime's module ${what}`, () => {
      expectInternal(OF_RUNTIME, content, [GET]);
    }, TIMEOUT_MS);
  }
});
