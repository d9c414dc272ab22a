// Index rows: round trip over arbitrary rows, and refusal of every damaged byte.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Entry, EntryType, IndexNote, IndexRow } from "../../../../agent/entry.ts";
import { decodeIndexRows, encodeIndexRows } from "../../../../agent/media/index_rows.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const name = fc.uint8Array({ minLength: 0, maxLength: 60 }).map((bytes) => {
  const path = new Uint8Array(bytes.length + 1);
  path.set(bytes.map((byte) => byte === 0 ? 1 : byte), 1);
  path[0] = 0x2f;
  return path;
});
const time = fc.bigInt({ min: -(1n << 62n) * 1_000_000_000n, max: (1n << 62n) * 1_000_000_000n });
const type = fc.constantFrom<EntryType[]>(
  "file",
  "directory",
  "symlink",
  "hardlink",
  "fifo",
  "character",
  "block",
);
const entry: fc.Arbitrary<Entry> = fc.record({
  path: name,
  type,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: u32,
  gid: u32,
  sizeBytes: fc.maxSafeNat(),
  mtimeNs: time,
  ctimeNs: time,
  inode: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  target: name,
  rdev: fc.record({ major: u32, minor: u32 }),
}).map((made) => ({
  ...made,
  target: made.type === "symlink" || made.type === "hardlink" ? made.target : null,
  rdev: made.type === "character" || made.type === "block" ? made.rdev : null,
}));
const rows: fc.Arbitrary<IndexRow[]> = fc.array(
  fc.record({
    entry,
    tarOffset: fc.integer({ min: 0, max: 2 ** 52 }),
    tarBytes: fc.integer({ min: 512, max: 2 ** 52 }),
  }),
  { maxLength: 20 },
);
const notes: fc.Arbitrary<IndexNote[]> = fc.array(
  fc.record({ kind: fc.constantFrom<IndexNote["kind"]>("deleted", "unsettled"), path: name }),
  { maxLength: 10 },
);

describe("index rows", () => {
  test("decodeIndexRows() gives rows and notes back when encodeIndexRows() made the bytes", () => {
    fc.assert(fc.property(rows, notes, (given, beside) => {
      expect(decodeIndexRows(encodeIndexRows(given, beside))).toEqual({
        rows: given,
        notes: beside,
      });
    }));
  });

  test("decodeIndexRows() throws damaged when any bit is flipped", () => {
    fc.assert(fc.property(rows, notes, fc.nat(), (given, beside, seed) => {
      const bytes = encodeIndexRows(given, beside);
      const bit = seed % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeIndexRows(bytes)).toThrow("Cannot read index rows");
    }));
  });

  test("decodeIndexRows() throws damaged when bytes are missing or too many", () => {
    fc.assert(fc.property(rows, notes, fc.nat(), (given, beside, seed) => {
      const bytes = encodeIndexRows(given, beside);
      const short = bytes.subarray(0, seed % bytes.length);
      expect(() => decodeIndexRows(short)).toThrow("Cannot read index rows");
      const long = new Uint8Array(bytes.length + 1);
      long.set(bytes);
      expect(() => decodeIndexRows(long)).toThrow("Cannot read index rows");
    }));
  });

  test("encodeIndexRows() needs under 80 bytes a row when paths share their directory", () => {
    const given = Array.from({ length: 1000 }, (_, index): IndexRow => ({
      entry: {
        path: new TextEncoder().encode(`/srv/data/some/long/directory/name/file${index}.txt`),
        type: "file",
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        sizeBytes: 12_345,
        mtimeNs: 1_700_000_000_123_456_789n,
        ctimeNs: 1_700_000_000_123_456_789n,
        inode: BigInt(1_000_000 + index),
        target: null,
        rdev: null,
      },
      tarOffset: index * 13_824,
      tarBytes: 13_824,
    }));
    expect(encodeIndexRows(given).length).toBeLessThan(80 * 1000);
  });

  test("encodeIndexRows() keeps the bytes of version 1", () => {
    const link: Entry = {
      path: new TextEncoder().encode("/a/link"),
      type: "symlink",
      mode: 0o777,
      uid: 1000,
      gid: 100,
      sizeBytes: 0,
      mtimeNs: -1n,
      ctimeNs: 1_700_000_000_000_000_001n,
      inode: 77n,
      target: new TextEncoder().encode("b"),
      rdev: null,
    };
    const encoded = encodeIndexRows([{ entry: link, tarOffset: 512, tarBytes: 1536 }]);
    expect(Buffer.from(encoded).toString("hex")).toBe(
      "4c4649520100000001000000230000002b327048" +
        "0200072f612f6c696e6bff03e807640001ff93ebdc0380c49fd50c014d01628008800c",
    );
  });
});
