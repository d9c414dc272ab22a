// Where a selection looks for what its globs match: never too low.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { globBase, isWithin } from "../../../../agent/vault/glob_base.ts";
import { Selection } from "../../../../agent/vault/selection.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const baseOf = (...globs: string[]) => new TextDecoder().decode(globBase(globs));

describe("globBase()", () => {
  test("is the plain beginning that all globs have in common", () => {
    expect(baseOf()).toBe("/");
    expect(baseOf("/srv/docs/plan.txt")).toBe("/srv/docs/plan.txt");
    expect(baseOf("/srv/docs/")).toBe("/srv/docs");
    expect(baseOf("/srv/docs/*.txt", "/srv/docs/a/b")).toBe("/srv/docs");
    expect(baseOf("/srv/docs", "/srv/docs/a")).toBe("/srv/docs");
    expect(baseOf("/srv/docs", "/home")).toBe("/");
    for (const glob of ["", "/", "srv/x", "**/x", "!/srv/x", "//srv/x", "/../x", "/[s]rv/x"]) {
      expect(baseOf(glob, "/srv/x")).toBe("/");
    }
  });

  test("lies at or above everything that the globs match", () => {
    const part = fc.constantFrom(
      ...["a", "b", "ab", "a.b", "ä", "*", "**", "?", "[ab]", "{a,b}", "@(a|b)", "!(a)", "+(a)"],
      ...["a*", "\\a", '"a"', "(a)", ".", "..", "", "a b", "^a", "$", "\ufffd", "!a", "a,b"],
    );
    const glob = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    const globs = fc.array(fc.oneof(glob, glob.map((one) => `/${one}`)), {
      minLength: 1,
      maxLength: 3,
    });
    const path = fc.array(fc.oneof(part, fc.constantFrom("a", "b")), { minLength: 1, maxLength: 5 })
      .map((parts) => `/${parts.filter((one) => !["", ".", ".."].includes(one)).join("/")}`);
    let selected = 0;
    fc.assert(
      fc.property(globs, fc.array(path, { minLength: 20, maxLength: 20 }), (texts, paths) => {
        const selection = new Selection(texts);
        const base = globBase(texts);
        for (const one of [...paths, ...texts.filter((text) => text.startsWith("/"))]) {
          if (one !== "/" && one.endsWith("/") || !selection.has(encode(one))) continue;
          selected++;
          if (/\/\.{0,2}(\/|$)/.test(one)) continue; // No path of a backup.
          expect([isWithin(encode(one), base), one]).toEqual([true, one]);
        }
      }),
      { numRuns: 1000 },
    );
    expect(selected).toBeGreaterThan(1000);
  });
});

describe("isWithin()", () => {
  test("takes whole names only", () => {
    expect(isWithin(encode("/a/b"), encode("/a"))).toBe(true);
    expect(isWithin(encode("/a"), encode("/a"))).toBe(true);
    expect(isWithin(encode("/ab"), encode("/a"))).toBe(false);
    expect(isWithin(encode("/b/a"), encode("/a"))).toBe(false);
    expect(isWithin(encode("/anything"), encode("/"))).toBe(true);
  });
});
