// The order of a walk is the order of the catalog's keys: a property of any set of names.

import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { compareWalkOrder, pathOfWalkKey, walkKey, walkRange } from "../../../agent/walk_order.ts";
import { compareBytes } from "../../../agent/application/filesystem/source_paths.ts";

/** Names of bytes that sort around "/", with many that begin alike. */
const name = fc.array(fc.constantFrom(1, 0x2e, 0x2d, 0x30, 0x61, 0x62, 0xff), {
  minLength: 1,
  maxLength: 3,
}).map((bytes) => Uint8Array.from(bytes));
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) =>
  Uint8Array.from(names.flatMap((one) => [0x2f, ...one]))
);
const paths = fc.uniqueArray(path, { selector: (one) => one.join(), maxLength: 30 });

/** Depth first, each directory before its content, names by their bytes. */
function walk(all: readonly Uint8Array[]): Uint8Array[] {
  const components = (one: Uint8Array) => {
    const names: number[][] = [];
    for (const byte of one) byte === 0x2f ? names.push([]) : names.at(-1)?.push(byte);
    return names.map((bytes) => Uint8Array.from(bytes));
  };
  return all.toSorted((a, b) => {
    const [left, right] = [components(a), components(b)];
    for (let at = 0; at < Math.min(left.length, right.length); at++) {
      const order = compareBytes(left[at] as Uint8Array, right[at] as Uint8Array);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  });
}

describe("the order of a walk", () => {
  test("compareWalkOrder() and SQLite's order of walkKey() are that of a walk", () => {
    fc.assert(fc.property(paths, (given) => {
      const expected = walk(given);
      const sorted = given.toSorted(compareWalkOrder).map((one) => [...one]);
      expect(sorted).toEqual(expected.map((one) => [...one]));
      const database = new DatabaseSync(":memory:");
      database.exec("CREATE TABLE t (key BLOB)");
      const insert = database.prepare("INSERT INTO t VALUES (?)");
      for (const one of given) insert.run(walkKey(one));
      const rows = database.prepare("SELECT key FROM t ORDER BY key").all();
      database.close();
      const found = rows.map(({ key }) => pathOfWalkKey(key as Uint8Array));
      expect(found.map((one) => [...one])).toEqual(expected.map((one) => [...one]));
    }));
  });

  test("walkRange() holds a path and what is below it, and nothing else", () => {
    fc.assert(fc.property(path, path, (top, one) => {
      const { first, end } = walkRange(top);
      const key = walkKey(one);
      const inside = compareBytes(first, key) <= 0 && compareBytes(key, end) < 0;
      const below = compareBytes(one.subarray(0, top.length), top) === 0 &&
        (one.length === top.length || one[top.length] === 0x2f);
      expect(inside).toBe(below);
    }));
    const { first, end } = walkRange(Uint8Array.of(0x2f));
    expect([[...first], [...end]]).toEqual([[0], [1]]);
  });
});
