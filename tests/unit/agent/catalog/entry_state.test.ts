// What a change is judged by, as it comes out of the catalog's database, damaged columns included.

import { describe, expect, test } from "bun:test";
import { HARDLINK_CODE } from "../../../../agent/catalog/entry_row.ts";
import { toState } from "../../../../agent/catalog/entry_state.ts";
import { AgentError } from "../../../../transport/ground/mod.ts";

const DIRECTORY = new TextEncoder().encode("etc");
const ROW = {
  name: new TextEncoder().encode("motd"),
  type: HARDLINK_CODE,
  size: 12,
  mtime_s: -1,
  mtime_n: 999_999_999,
  ctime_s: 1_700_000_000,
  ctime_n: 0,
  inode_high: 0xffff_ffff,
  inode_low: 1,
  target: new TextEncoder().encode("etc/issue"),
  media: 3,
  unsettled: 0,
};

describe("toState()", () => {
  test("reads times before 1970 and inodes of 64 bits", () => {
    const state = toState(ROW, DIRECTORY);
    expect(state.mtime).toEqual({ seconds: -1, nanoseconds: 999_999_999 });
    expect(state.inode).toBe(0xffff_ffff_0000_0001n);
    expect([state.sizeBytes, state.media, state.unsettled]).toEqual([12, 3, false]);
    expect(toState({ ...ROW, target: null }, DIRECTORY).target).toBe(null);
  });

  for (
    const [column, value] of [
      ["size", -1],
      ["size", 0.5],
      ["size", "12"],
      ["mtime_s", 0.5],
      ["mtime_n", -1],
      ["ctime_s", NaN],
      ["inode_low", -1],
      ["name", 5],
      ["target", 5],
      ["type", 99],
    ] as const
  ) {
    test(`refuses ${value} as ${column}`, () => {
      expect(() => toState({ ...ROW, [column]: value }, DIRECTORY)).toThrow(AgentError);
    });
  }
});
