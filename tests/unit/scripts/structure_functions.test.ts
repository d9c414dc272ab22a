// The structure check's view of a source: blanked text and the functions in it.

import { describe, expect, test } from "bun:test";
import { functionSpans } from "../../../scripts/structure/function_spans.ts";
import { scanImports } from "../../../scripts/structure/import_scan.ts";
import { readSourceText } from "../../../scripts/structure/source_text.ts";

const spansOf = (text: string): string[] =>
  functionSpans(readSourceText(text)).map((span) => `${span.name} ${span.line} ${span.lines}`);

describe("functionSpans()", () => {
  const CASES: readonly (readonly [string, readonly string[]])[] = [
    ["function f(a: number): void {\n}\n", ["f 1 2"]],
    ["function f<T>(\n  a: { b: T },\n): { c: T } | null {\n}\n", ["f 1 4"]],
    ["const f = (a: number) => {\n  g();\n};\n", ["f 1 3"]],
    ["const f = async (): Promise<{ a: 1 }> => {\n};\n", ["f 1 2"]],
    ["class A {\n  #m(a = {}) {\n  }\n  get x(): number { return 1; }\n}\n", ["#m 2 2", "x 4 1"]],
    ["test('n', () => {\n\n});\n", ["test 1 3"]],
    ["test('n', async () => {\n});\n", ["test 1 2"]],
    ["function* g(): Generator<A> {\n}\n", ["g 1 2"]],
    ["if (a) {\n}\nfor (const b of c) {\n}\nwhile (d) {\n}\nswitch (e) {\n}\n", []],
    ["interface A {\n  m(a: string): { b: number };\n}\n", []],
    ["const a = f(b);\n{\n}\n", []],
    ["const a = b ? f(c) : { d: 1 };\n", []],
    ["function f(): void { // }\n  const t = '}' + `}${'}'}`;\n  const r = /}/;\n}\n", ["f 1 4"]],
  ];
  for (const [text, spans] of CASES) {
    test(JSON.stringify(text), () => expect(spansOf(text)).toEqual([...spans]));
  }
});

describe("readSourceText()", () => {
  test("keeps length and line breaks", () => {
    const raw = "a /* b\n */ = `c ${d + `e`} f\n`; // g\n'h\\'i'; x = y / z / 2; /[/\"]/.test(j)\n";
    const { code, uncommented } = readSourceText(raw);
    expect(code.length).toBe(raw.length);
    expect(uncommented.length).toBe(raw.length);
    expect(code.split("\n").length).toBe(raw.split("\n").length);
    expect(code.replace(/\s+/g, " ").trim()).toBe("a = d + ; ; x = y / z / 2; .test(j)");
  });
});

describe("scanImports()", () => {
  test("finds each form with its kind", () => {
    const text = [
      'import a, { b } from "./1.ts";',
      'import * as c from "./2.ts";',
      'import type { D } from "./3.ts";',
      'import {\n  type E,\n  type F,\n} from "./4.ts";',
      'export * from "./5.ts";',
      'export { g } from "./6.ts";',
      'import "./7.ts";',
      'await import("./8.ts");',
      "const text = 'import x from \"./9.ts\"';",
      '// import x from "./10.ts"',
      'import { h, type I } from "./11.ts";',
    ].join("\n");
    const found = scanImports(readSourceText(text))
      .map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? " type" : ""}`);
    expect(found.sort()).toEqual(
      ["1", "2", "3 type", "4 type", "5", "6", "7", "8", "11"]
        .map((name) => name.replace(/^(\d+)/, "./$1.ts")).sort(),
    );
  });
});
