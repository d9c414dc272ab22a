// Names of a directory, packed: the same names come back, in the order of their bytes.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NameList } from "../../../../agent/application/filesystem/name_list.ts";
import { AssertionFailure } from "../../../../transport/ground/assert.ts";
import { compareBytes } from "../../../../agent/application/filesystem/source_paths.ts";

describe("NameList", () => {
  test("at() gives every name in the order of its bytes, then null", () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 255 });
    fc.assert(fc.property(fc.array(name, { maxLength: 200 }), (names) => {
      const list = new NameList();
      const passing = new Uint8Array(255);
      for (const one of names) {
        passing.set(one);
        // The bytes are the caller's again after the call.
        list.add(passing.subarray(0, one.length));
        passing.fill(0);
      }
      list.sort();
      const sorted = [...names].sort(compareBytes);
      expect(list.length).toBe(names.length);
      expect(names.map((_, position) => list.at(position))).toEqual(sorted.map((one) => one));
      expect(list.at(names.length)).toBe(null);
    }));
  });

  test("compareAt() orders a name of the list and any other one by their bytes", () => {
    // Few values and lengths: names that are equal, or begin another one, come often.
    const name = fc.uint8Array({ minLength: 1, maxLength: 4, max: 2 });
    fc.assert(fc.property(fc.array(name, { minLength: 1 }), name, (names, other) => {
      const list = new NameList();
      for (const one of names) list.add(one);
      list.sort();
      for (const [position, one] of [...names].sort(compareBytes).entries()) {
        expect(Math.sign(list.compareAt(position, other)))
          .toBe(Math.sign(compareBytes(one, other)));
      }
      expect(() => list.compareAt(names.length, other)).toThrow(AssertionFailure);
    }));
  });

  test("retain() keeps some in their order, and has() knows which", () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 3 });
    const names = fc.uniqueArray(name, { comparator: (a, b) => compareBytes(a, b) === 0 });
    fc.assert(fc.property(names, fc.integer({ min: 0, max: 255 }), (all, least) => {
      const list = new NameList();
      for (const one of all) list.add(one, (one[0] ?? 0) % 2 === 0 ? "file" : "directory");
      list.sort();
      const isKept = (one: Uint8Array) => (one[0] ?? 0) >= least;
      list.retain((one, type) => isKept(one) && type === "file");
      const kept = all.filter((one) => isKept(one) && (one[0] ?? 0) % 2 === 0).sort(compareBytes);
      expect(kept.map((_, position) => list.at(position))).toEqual(kept);
      expect([list.length, list.at(kept.length)]).toEqual([kept.length, null]);
      for (const one of all) expect(list.has(one)).toBe(kept.includes(one));
    }));
  });

  test("at() gives a copy that later reads do not change", () => {
    const list = new NameList();
    list.add(new Uint8Array([1, 2]));
    list.sort();
    list.at(0)?.fill(9);
    expect(list.at(0)).toEqual(new Uint8Array([1, 2]));
  });
});
