// Marks that must not reach the repository: escapes from the type system, reminders, tests that
// are switched off, and traces of the machine that something was built on.

import { type Finding, isProduct, type Tree } from "./finding.ts";
import { lineOf } from "./source_text.ts";

interface Mark {
  readonly pattern: RegExp;
  readonly what: string;
  /** Which view of a TypeScript file is searched; other files are searched as they are. */
  readonly view: "raw" | "code";
}

const MARKS: readonly Mark[] = [
  { pattern: /(?:[:<|]|\bas)\s*any\b(?!\s*\()/g, what: "any", view: "code" },
  { pattern: /\bas\s+unknown\s+as\b/g, what: "as unknown as", view: "code" },
  { pattern: /(?<![\w.])(?:const\s+)?enum\s+\w+\s*\{/g, what: "enum", view: "code" },
  { pattern: /\b(?:test|describe|it)\.(?:only|skip|todo)\(/g, what: "test off", view: "code" },
  { pattern: /@ts-(?:ignore|nocheck|expect-error)/g, what: "type check off", view: "raw" },
  { pattern: /\b(?:TO-?DO|FIX-?ME)\b/g, what: "reminder", view: "raw" },
];

const TEXTS: readonly Mark[] = [
  { pattern: /(?<![\w.$}])\/(?:work|builds?|workspace)\/\w/g, what: "build path", view: "raw" },
  { pattern: /\bregistry\.[\w-]+\.(?:com|dev|io|net|org)\b/gi, what: "registry host", view: "raw" },
  { pattern: /\bissue\s+#?\d+\b/gi, what: "number of a ticket", view: "raw" },
  {
    pattern: /\b(?:DESIGN(?:\.md| [\dws])|STYLE\.md)/g,
    what: "paper outside the repository",
    view: "raw",
  },
];

/** Fixtures of these rules contain what the rules forbid. */
const FIXTURES = /^tests\/unit\/scripts\/structure_[a-z_]+\.test\.ts$/;

/** Rules `mark` and `text`. */
export function* checkMarks(tree: Tree): Generator<Finding> {
  for (const { path, raw, source } of tree.files) {
    if (FIXTURES.test(path)) continue;
    const search = function* (marks: readonly Mark[], rule: string): Generator<Finding> {
      for (const { pattern, what, view } of marks) {
        const text = view === "code" && source !== null ? source.code : raw;
        for (const match of text.matchAll(pattern)) {
          yield { path, line: lineOf(raw, match.index), rule, what: `${what}: ${match[0].trim()}` };
        }
      }
    };
    if (source !== null) yield* search(MARKS, "mark");
    if (path !== "package-lock.json" || isProduct(path)) yield* search(TEXTS, "text");
  }
}
