// Each rule of the structure check on a tiny tree that breaks it, and on one that does not.

import { describe, expect, test } from "bun:test";
import { checkTree } from "../../../scripts/structure/check_tree.ts";
import type { Tree } from "../../../scripts/structure/finding.ts";
import { readSourceText } from "../../../scripts/structure/source_text.ts";

const HEADER = "// What it is.\n";

/** A tree of `files`; a TypeScript file gets a header unless `bare`. */
function treeOf(files: Record<string, string>, options: { bare?: boolean } = {}): Tree {
  return {
    files: Object.entries(files).map(([path, text]) => {
      const typed = path.endsWith(".ts");
      const raw = typed && !options.bare ? HEADER + text : text;
      return { path, raw, source: typed ? readSourceText(raw) : null };
    }),
    packages: { dependencies: new Set(["hono", "@hono/node-server"]) },
  };
}

/** Rules that the tree breaks, without those about rooms, which tiny trees never have whole. */
function broken(files: Record<string, string>, options: { bare?: boolean } = {}): string[] {
  const rules = checkTree(treeOf(files, options)).map((finding) => finding.rule);
  return [...new Set(rules)].filter((rule) => rule !== "room").sort();
}

const lines = (count: number): string => "let x;\n".repeat(count);

const ARROWS: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["mod.ts", "./agent/cli/mod.ts", "", []],
  ["mod.ts", "./main.ts", "", []],
  ["main.ts", "./agent/mod.ts", "", []],
  ["main.ts", "./emulator/mod.ts", "", ["arrow"]],
  ["agent/cli/mod.ts", "../../main.ts", "", ["arrow"]],
  ["mod.ts", "./emulator/mod.ts", "", ["arrow"]],
  ["mod.ts", "./scripts/demo.ts", "", ["arrow"]],
  ["agent/cli/mod.ts", "../../transport/conn.ts", "", []],
  ["agent/cli/mod.ts", "../../emulator/mod.ts", "", ["arrow"]],
  ["agent/cli/mod.ts", "../../emulator/mod.ts", "type ", ["arrow"]],
  ["agent/cli/mod.ts", "../../tests/bun_test.ts", "", ["arrow"]],
  ["agent/compose.ts", "../emulator/mod.ts", "", []],
  ["agent/compose_worker.ts", "../emulator/mod.ts", "", []],
  ["transport/conn.ts", "../agent/entry.ts", "type ", ["arrow"]],
  ["transport/stp/mod.ts", "../conn.ts", "", []],
  ["transport/stp/mod.ts", "../tcp/mod.ts", "type ", ["sibling"]],
  ["transport/relay/mod.ts", "../memory/mod.ts", "", ["sibling"]],
  ["emulator/mod.ts", "../transport/volume.ts", "", []],
  ["emulator/mod.ts", "../transport/ground/crc32.ts", "", []],
  ["emulator/mod.ts", "../transport/runtime/runtime.ts", "type ", []],
  ["emulator/mod.ts", "../transport/runtime/runtime.ts", "", ["arrow"]],
  ["emulator/mod.ts", "../transport/runtime/files.ts", "", []],
  ["emulator/mod.ts", "../transport/conn.ts", "type ", ["arrow"]],
  ["agent/cli/mod.ts", "hono", "", []],
  ["agent/cli/mod.ts", "hono/cookie", "", []],
  ["agent/cli/mod.ts", "@hono/node-server/serve", "", []],
  ["agent/cli/mod.ts", "expect", "", ["package"]],
  ["tests/unit/x.test.ts", "expect", "", []],
  ["tests/unit/x.test.ts", "../../emulator/mod.ts", "", []],
];

const SEAM: readonly (readonly [string, readonly string[]])[] = [
  ["Deno.exit(1);", ["seam"]],
  ["Bun.gc();", ["seam"]],
  ['import { open } from "node:fs";', ["seam"]],
  ['await import("node:fs/promises");', ["seam"]],
  ['import net from "node:net";', ["seam"]],
  ['import { dlopen } from "bun:ffi";', ["seam"]],
  ["Date.now();", ["seam"]],
  ["new Date();", ["seam"]],
  ["performance.now();", ["seam"]],
  ["setTimeout(f, 1);", ["seam"]],
  ["setInterval(f, 1);", ["seam"]],
  ["Math.random();", ["seam"]],
  ["crypto.randomUUID();", ["seam"]],
  ['import { crc32 } from "node:zlib";', []],
  ["new Date(ms);", []],
  ["// Deno.exit would be wrong here; Date.now() too", []],
  ['const text = "Deno.exit(1)";', []],
  ["const text = `Deno.exit ${'x'} Date.now()`;", []],
  ["const text = `${Date.now()}`;", ["seam"]],
  ["clock.setTimeout(f, 1);", []],
];

const MARKS: readonly (readonly [string, readonly string[]])[] = [
  ["let x: any;", ["mark"]],
  ["let x: Map<any, string>;", ["mark"]],
  ["f(x as any);", ["mark"]],
  ["f(x as unknown as Y);", ["mark"]],
  ["export enum Color { red }", ["mark"]],
  ["// @ts-ignore", ["mark"]],
  ["// TODO: later", ["mark"]],
  ['test.only("x", f);', ["mark"]],
  ['describe.skip("x", f);', ["mark"]],
  ["// any of them; as unknown as nothing", []],
  ["const run = ready ? test : test.skip;", []],
  ["Promise.any(list);", []],
  ['const path = "/builds/main/mod.ts";', ["text"]],
  ["// see registry.example.org", ["text"]],
  ["registry.metrics();", []],
  ["// as issue 7 asks", ["text"]],
  ["// see DESIGN.md", ["text"]],
  ["// the contract (DESIGN 8.1)", ["text"]],
  ['const path = "homework/x";', []],
];

describe("checkTree()", () => {
  for (const [from, to, type, rules] of ARROWS) {
    test(`${from} ${type}-> ${to}: ${rules.join(" ") || "allowed"}`, () => {
      expect(broken({ [from]: `import ${type}{ a } from "${to}";\n` })).toEqual([...rules]);
    });
  }
  for (const [text, rules] of [...SEAM, ...MARKS]) {
    test(`${text} is ${rules.join(" ") || "allowed"} in product code`, () => {
      expect(broken({ "agent/cli/x.ts": `${text}\n` })).toEqual([...rules]);
    });
  }
  test("the runtime room and the tests may name the runtime", () => {
    const text = "Deno.exit(1);\nsetTimeout(f, 1);\n";
    expect(broken({ "transport/runtime/deno.ts": text, "tests/x.test.ts": text })).toEqual([]);
  });
  test("a cycle is reported once, with its modules", () => {
    const tree = treeOf({
      "agent/a.ts": 'import { b } from "./b.ts";\n',
      "agent/b.ts": 'import { c } from "./c.ts";\n',
      "agent/c.ts": 'export { a } from "./a.ts";\n',
    });
    const found = checkTree(tree).filter((finding) => finding.rule === "cycle");
    expect(found.map((finding) => finding.what)).toEqual([
      "agent/a.ts -> agent/b.ts -> agent/c.ts -> agent/a.ts",
    ]);
  });
  test("types alone make no cycle", () => {
    const a = 'import { b } from "./b.ts";\n';
    expect(broken({ "agent/a.ts": a, "agent/b.ts": 'import type { A } from "./a.ts";\n' }))
      .toEqual([]);
    expect(broken({ "agent/a.ts": a, "agent/b.ts": 'import { type A } from "./a.ts";\n' }))
      .toEqual([]);
  });
  test("a command loads no package of daemons, unless it asks for it", () => {
    const chain = {
      "agent/app.ts": 'import { Hono } from "hono";\n',
      "agent/b.ts": 'export { a } from "./app.ts";\n',
    };
    const starting = (text: string) =>
      checkTree(treeOf({ ...chain, "agent/program.ts": text })).filter(({ rule }) =>
        rule === "start"
      );
    expect(starting('import { a } from "./b.ts";\n')).toMatchObject([
      { path: "agent/app.ts", what: "agent/program.ts -> agent/b.ts -> agent/app.ts -> hono" },
    ]);
    expect(starting('import type { a } from "./b.ts";\n')).toEqual([]);
    expect(starting('const { a } = await import("./b.ts");\n')).toEqual([]);
  });
  test("sizes are reported one line above the limit, not at it", () => {
    expect(broken({ "agent/a.ts": lines(399) })).toEqual([]);
    expect(broken({ "agent/a.ts": lines(400) })).toEqual(["file-size"]);
    const body = (count: number): string => `function f(): void {\n${lines(count)}}\n`;
    expect(broken({ "agent/a.ts": body(58) })).toEqual([]);
    expect(broken({ "agent/a.ts": body(59) })).toEqual(["function-size"]);
    expect(broken({ "agent/a.ts": `//${"é".repeat(98)}\n` })).toEqual([]);
    expect(broken({ "agent/a.ts": `//${"é".repeat(99)}\n` })).toEqual(["line-width"]);
    const sample = `const sample = "${"x".repeat(120)}";\n`;
    expect(broken({ "agent/a.ts": sample })).toEqual(["line-width"]);
    expect(broken({ "tests/a.test.ts": sample })).toEqual([]);
    expect(broken({ "tests/a.test.ts": `f(${"x".repeat(120)});\n` })).toEqual(["line-width"]);
  });
  test("names are snake_case and say something", () => {
    expect(broken({ "agent/restore_plan.ts": "", "tests/a_b.test.ts": "" })).toEqual([]);
    expect(broken({ "agent/restorePlan.ts": "" })).toEqual(["file-name"]);
    expect(broken({ "agent/job_manager.ts": "" })).toEqual(["vague-name"]);
    expect(broken({ "agent/utils/text.ts": "" })).toEqual(["vague-name"]);
    expect(broken({ "agent/text.ts": "let x;\n" }, { bare: true })).toEqual(["header"]);
  });
  test("a room has a door and a README, and is known", () => {
    const rooms = (files: Record<string, string>): string[] =>
      checkTree(treeOf(files)).map((finding) => `${finding.path} ${finding.what}`);
    expect(rooms({ "agent/tar/mod.ts": "", "agent/tar/README.md": "" })).toEqual([]);
    expect(rooms({ "agent/tar/mod.ts": "" })).toEqual(["agent/tar has no README.md"]);
    expect(rooms({ "agent/tar/x.ts": "", "agent/tar/README.md": "" }))
      .toEqual(["agent/tar has no mod.ts"]);
    expect(rooms({ "agent/attic/mod.ts": "" })).toEqual([
      "agent/attic is no known room of the product",
    ]);
  });
  test("a finding has its line", () => {
    const tree = treeOf({ "agent/cli/x.ts": "let a;\n/* b\n */\nDeno.exit(1);\n" });
    expect(checkTree(tree).find((finding) => finding.rule === "seam")?.line).toBe(5);
  });
});
