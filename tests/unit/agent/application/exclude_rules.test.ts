// What rules leave out: by examples of each kind, and by random ones against a matcher that is
// written from the description alone, tries everything, and knows nothing of ours.

import { describe, expect, test } from "bun:test";
import {
  type Decision,
  ExcludeRules,
  ruleLines,
} from "../../../../agent/application/filesystem/exclude_rules.ts";
import { charactersOf } from "../../../../agent/application/filesystem/name_pattern.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";

const encoder = new TextEncoder();

/** What the rules say of one path below "/"; a directory when it ends in "/". */
function decide(rules: readonly (string | Uint8Array)[], path: string | Uint8Array): Decision {
  const bytes = typeof path === "string" ? encoder.encode(path) : path;
  const isDirectory = bytes.at(-1) === 0x2f;
  const parts = Buffer.from(bytes).toString("latin1").split("/").filter((part) => part !== "");
  const compiled = new ExcludeRules(
    rules.map((rule) => typeof rule === "string" ? encoder.encode(rule) : rule),
  );
  expect(compiled.bad).toEqual([]);
  const subject = parts.map((part) => charactersOf(Buffer.from(part, "latin1")));
  return compiled.decide({ path: subject, from: 0, isDirectory });
}

describe("ExcludeRules", () => {
  const matched: readonly [rule: string, path: string][] = [
    ["*.tmp", "/a/b/x.tmp"],
    ["*.tmp", "/.tmp"],
    ["cache/", "/a/cache/"],
    ["/srv/www", "/srv/www/"],
    ["srv/www", "/srv/www"],
    ["/srv/*/x", "/srv/.b/x"],
    ["/srv/**", "/srv/a/b"],
    ["/srv/**/x", "/srv/x"],
    ["/srv/**/x", "/srv/a/b/x"],
    ["**/a/b", "/x/a/b"],
    ["**/a/b", "/a/b"],
    ["?", "/ä"],
    ["[!a-c]", "/d"],
    ["[]x]", "/]"],
    ["[a-]", "/-"],
    ["[ä-ü]", "/ö"],
    ["\\*", "/*"],
    ["\\!a", "/!a"],
    ["#a", "/#a"],
    ["{a,b}", "/{a,b}"],
    ["a**b", "/axb"],
    ["**", "/a/b"],
    ["//a//b/", "/a/b/"],
  ];
  for (const [rule, path] of matched) {
    test(`"${rule}" leaves out ${path}`, () => expect(decide([rule], path)).toBe("exclude"));
  }

  const unmatched: readonly [rule: string, path: string][] = [
    ["cache/", "/a/cache"],
    ["/www", "/srv/www"],
    ["srv/www", "/a/srv/www"],
    ["/srv/*", "/srv/a/b"],
    ["/srv/**", "/srv/"],
    ["a?b", "/a/b"],
    ["a**b", "/a/b"],
    ["[!a]", "/a"],
    ["Aa", "/aa"],
    ["a", "/ab"],
  ];
  for (const [rule, path] of unmatched) {
    test(`"${rule}" does not match ${path}`, () => expect(decide([rule], path)).toBe(null));
  }

  test("lets the last rule that matches decide", () => {
    expect(decide(["*.log", "!audit.log"], "/a/audit.log")).toBe("include");
    expect(decide(["!audit.log", "*.log"], "/a/audit.log")).toBe("exclude");
    expect(decide(["*.log", "!/a/*.log", "x.log"], "/a/x.log")).toBe("exclude");
  });

  test("takes a byte that is no UTF-8 as one character, and as itself", () => {
    const path = Uint8Array.of(0x2f, 0x61, 0xff, 0xc3);
    expect(decide(["a??"], path)).toBe("exclude");
    expect(decide(["a?"], path)).toBe(null);
    expect(decide([Uint8Array.of(0x61, 0xff, 0x2a)], path)).toBe("exclude");
    expect(decide([Uint8Array.of(0x61, 0xfe, 0x2a)], path)).toBe(null);
    // An overlong "/", a surrogate: bytes.
    expect(decide(["??"], Uint8Array.of(0x2f, 0xc0, 0xaf))).toBe("exclude");
    expect(decide(["???"], Uint8Array.of(0x2f, 0xed, 0xa0, 0x80))).toBe("exclude");
  });

  test("counts from the rules' own directory", () => {
    const rules = new ExcludeRules([encoder.encode("/b"), encoder.encode("x")]);
    const path = ["a", "b"].map((name) => charactersOf(encoder.encode(name)));
    expect(rules.decide({ path, from: 1, isDirectory: false })).toBe("exclude");
    expect(rules.decide({ path, from: 0, isDirectory: false })).toBe(null);
  });

  test("names rules that cannot be, and goes on without them", () => {
    const texts = ["", "!", "/", "a[b", "a\\", "[b-a]", "[[:alpha:]]", "a\0", "good"];
    const rules = new ExcludeRules(texts.map((text) => encoder.encode(text)));
    expect(rules.bad.map(({ rule }) => rule)).toEqual(texts.slice(0, -1));
    const path = [charactersOf(encoder.encode("good"))];
    expect(rules.decide({ path, from: 0, isDirectory: false })).toBe("exclude");
  });

  test("decides in time whatever the pattern", () => {
    const name = "a".repeat(250);
    expect(decide([`${"*a".repeat(60)}*b`], `/${name}`)).toBe(null);
    expect(decide([`${"**/a/".repeat(60)}b`], `/${"a/".repeat(2000)}`)).toBe(null);
  });
});

describe("ruleLines()", () => {
  test("leaves out empty lines, comments and spaces at the end", () => {
    const text = "# comment\n\n*.tmp  \n\\#a\nb\\ \n  \n c\nlast";
    const lines = ruleLines(encoder.encode(text)).map((line) => new TextDecoder().decode(line));
    expect(lines).toEqual(["*.tmp", "\\#a", "b\\ ", " c", "last"]);
  });
});

// The independent matcher: patterns as lists, everything tried.

function slowName(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  const rest = pattern.slice(1);
  if (pattern[0] === "*") {
    return [...name, ""].some((_, at) => slowName(rest, name.slice(at)));
  }
  if (name === "") return false;
  if (pattern[0] === "?") return slowName(rest, name.slice(1));
  if (pattern[0] === "[") {
    const end = pattern.indexOf("]", 2);
    const set = pattern.slice(1, end);
    const isIn = set[0] === "!"
      ? !set.slice(1).includes(name[0] ?? "")
      : set.includes(name[0] ?? "");
    return isIn && slowName(pattern.slice(end + 1), name.slice(1));
  }
  if (pattern[0] === "\\") {
    return pattern[1] === name[0] && slowName(pattern.slice(2), name.slice(1));
  }
  return pattern[0] === name[0] && slowName(rest, name.slice(1));
}

function slowPath(parts: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = parts;
  if (first === undefined) return path.length === 0;
  if (first === "**" && rest.length === 0) return path.length > 0;
  if (first === "**") {
    return [...path, ""].some((_, at) => slowPath(rest, path.slice(at)));
  }
  const [name, ...below] = path;
  return name !== undefined && slowName(first, name) && slowPath(rest, below);
}

function slowDecide(rules: readonly string[], path: string): Decision {
  const names = path.split("/").filter((part) => part !== "");
  let decision: Decision = null;
  for (const rule of rules) {
    const text = rule.replace(/^!/, "");
    if (text.endsWith("/") && !path.endsWith("/")) continue;
    const plain = text.replace(/\/$/, "");
    const matches = plain.includes("/")
      ? slowPath(plain.replace(/^\//, "").replace(/\*{3,}/g, "**").split("/"), names)
      : slowName(plain, names.at(-1) ?? "");
    if (matches) decision = rule.startsWith("!") ? "include" : "exclude";
  }
  return decision;
}

const FIXED_SEEDS = [1, 2, 3, 4, 5];
const FRESH_SEEDS = FIXED_SEEDS.map(() => Math.floor(Math.random() * 2 ** 31));

describe("ExcludeRules against a slow matcher", () => {
  for (const seed of [...FIXED_SEEDS, ...FRESH_SEEDS]) {
    test(`decides alike, with seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const pick = (from: readonly string[]) => from[random.below(from.length)] ?? "";
      const some = (from: readonly string[], most: number) =>
        Array.from({ length: 1 + random.below(most) }, () => pick(from));
      const name = () => some(["a", "b", "*", "?", "[ab]", "[!a]", "\\a", "."], 4).join("");
      const component = () => random.below(4) === 0 ? "**" : name();
      const rule = () => {
        const parts = Array.from({ length: 1 + random.below(3) }, component);
        return pick(["", "", "!"]) + pick(["", "/"]) + parts.join("/") + pick(["", "", "/"]);
      };
      const decided = new Set<Decision>();
      for (let run = 0; run < 400; run++) {
        const rules = Array.from({ length: 1 + random.below(4) }, rule);
        const names = Array.from({ length: 1 + random.below(4) }, () => some(["a", "b", "."], 4));
        const path = `/${names.map((one) => one.join("")).join("/")}${pick(["", "/"])}`;
        const expected = slowDecide(rules, path);
        expect([rules, path, decide(rules, path)]).toEqual([rules, path, expected]);
        decided.add(expected);
      }
      expect(decided.size).toBe(3);
    });
  }
});
