// Items of a parent's rows: they are read as they were written, whatever is damaged is refused or
// lies within the chunk, and a state that is the same is known without decoding.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ParentComparison } from "../../../../agent/application/filesystem/parent_comparison.ts";
import {
  encodeParentRows,
  ParentItems,
  type PlacedRow,
  RowState,
} from "../../../../agent/application/filesystem/parent_rows.ts";
import { ParentTree } from "../../../../agent/application/filesystem/parent_tree.ts";
import { compareBytes } from "../../../../agent/application/filesystem/source_paths.ts";
import type { FileStat } from "../../../../transport/runtime/files.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { type SplitTime, splitTime } from "../../../../agent/split_time.ts";

const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
const time = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 19n }).map(splitTime);
const row: fc.Arbitrary<PlacedRow> = fc.record({
  directory: fc.constantFrom("", "a", "a/b").map((path) => new TextEncoder().encode(path)),
  name: bytes,
  type: fc.constantFrom("file", "directory", "symlink", "hardlink", "fifo", "character", "block"),
  sizeBytes: fc.nat(),
  mtime: time,
  ctime: time,
  inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  target: bytes,
  unsettled: fc.boolean(),
  kept: fc.boolean(),
});

function joined({ seconds, nanoseconds }: SplitTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

/** What a chunk holds: paths of directories, and rows with their names. */
function read(chunk: Uint8Array): unknown[] {
  const items = new ParentItems(chunk);
  const found: unknown[] = [];
  while (items.next()) {
    expect(items.end).toBeLessThanOrEqual(chunk.length);
    found.push(items.isDirectory ? items.name : { name: items.name, ...items.row() });
  }
  expect(items.isAtEnd).toBe(true);
  return found;
}

describe("ParentItems", () => {
  test("gives the groups and rows that were encoded", () => {
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
      const wanted: unknown[] = [];
      let group: Uint8Array | null = null;
      for (const { directory, target, mtime, ctime, ...rest } of rows) {
        if (group === null || compareBytes(group, directory) !== 0) wanted.push(directory);
        group = directory;
        const times = { mtimeNs: joined(mtime), ctimeNs: joined(ctime) };
        wanted.push({ ...rest, ...times, target: rest.type === "hardlink" ? target : null });
      }
      expect([...encodeParentRows(rows)].flatMap(read)).toEqual(wanted);
    }));
  });

  test("throws damaged, or stays within the chunk, when that was cut or changed", () => {
    const damage = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.boolean() });
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 3 }), damage, (rows, how) => {
      for (const chunk of encodeParentRows(rows)) {
        const at = how.at % chunk.length;
        if (!how.cut) chunk[at] = how.value;
        try {
          read(how.cut ? chunk.subarray(0, at) : chunk);
        } catch (error) {
          if (!(error instanceof AgentError)) throw error;
          expect(error.code).toBe("damaged");
        }
      }
    }));
  });
});

describe("RowState", () => {
  const small = fc.bigInt({ min: -2n, max: 2n });
  const second = fc.record({ seconds: small, rest: fc.bigInt({ min: 0n, max: 2n }) })
    .map(({ seconds, rest }) => seconds * 1_000_000_000n + rest);
  const state = fc.record({
    type: fc.constantFrom("file", "directory", "symlink", "hardlink", "fifo"),
    sizeBytes: fc.nat(1),
    mtimeNs: second,
    ctimeNs: second,
    inode: fc.constantFrom(1n, 2n, 2n ** 63n),
    unsettled: fc.boolean(),
    kept: fc.boolean(),
  });

  test("is that of a row exactly when type, size, times and inode are, and nothing is noted", () => {
    const some = { name: new Uint8Array([97]), directory: new Uint8Array(0), target: null };
    fc.assert(
      fc.property(state, state, fc.boolean(), (row, other, isSame) => {
        const { type, sizeBytes, mtimeNs, ctimeNs, inode } = isSame ? row : other;
        if (type === "hardlink") return;
        const size = type === "file" ? sizeBytes : 0;
        const before = { ...row, sizeBytes: row.type === "file" ? row.sizeBytes : 0 };
        const wanted = before.type === type && before.sizeBytes === size &&
          before.mtimeNs === mtimeNs && before.ctimeNs === ctimeNs && before.inode === inode &&
          !before.unsettled && !before.kept;
        const made = new RowState();
        expect(made.set(statOf({ type, sizeBytes, mtimeNs, ctimeNs, inode }))).toBe(true);
        const times = { mtime: splitTime(before.mtimeNs), ctime: splitTime(before.ctimeNs) };
        const [chunk] = encodeParentRows([{ ...some, ...before, ...times }]);
        const items = new ParentItems(chunk ?? new Uint8Array(0));
        expect(items.next() && items.next()).toBe(true);
        expect(items.isState(made)).toBe(wanted);
      }),
      { numRuns: 2000 },
    );
  });

  test("there is none of a file with several names", () => {
    const stat = statOf({ type: "file", sizeBytes: 1, mtimeNs: 0n, ctimeNs: 0n, inode: 1n });
    expect(new RowState().set({ ...stat, linkCount: 2 })).toBe(false);
  });
});

describe("ParentComparison", () => {
  test("passes a file only in the directory that the walk is in", () => {
    const stat = statOf({ type: "file", sizeBytes: 1, mtimeNs: 2n, ctimeNs: 3n, inode: 4n });
    const [text, none] = [(path: string) => new TextEncoder().encode(path), new Uint8Array(0)];
    const times = { mtime: splitTime(2n), ctime: splitTime(3n) };
    const state = {
      sizeBytes: 1,
      ...times,
      inode: 4n,
      target: null,
      unsettled: false,
      kept: false,
    };
    const [chunk = none] = encodeParentRows([
      { ...state, directory: none, name: text("/s"), type: "directory" },
      { ...state, directory: text("/s"), name: text("d"), type: "directory" },
      { ...state, directory: text("/s/d"), name: text("x"), type: "file" },
    ]);
    const chunks: (Uint8Array | "end")[] = [chunk, "end"];
    const comparison = new ParentComparison(new ParentTree({ take: () => chunks.shift() ?? null }));
    for (const [depth, path] of ["/s", "/s/d"].entries()) {
      const directory = { directory: -100, name: path, path: text(path), depth, names: null, stat };
      expect([...comparison.visit(directory), ...comparison.enter(directory)]).toEqual([]);
    }
    // As after the walk has left it: the file of that name above it is another one.
    expect(comparison.passSame(1, text("x"), stat)).toBe(false);
    expect(comparison.passSame(2, text("w"), stat)).toBe(false);
    expect(comparison.passSame(2, text("x"), { ...stat, sizeBytes: 2 })).toBe(false);
    expect(comparison.passSame(2, text("x"), stat)).toBe(true);
    expect(comparison.passSame(2, text("x"), stat)).toBe(false);
  });
});

function statOf(
  known: Pick<FileStat, "type" | "sizeBytes" | "mtimeNs" | "ctimeNs" | "inode">,
): FileStat {
  const [mtime, ctime] = [splitTime(known.mtimeNs), splitTime(known.ctimeNs)];
  const none = { deviceMajor: 0, deviceMinor: 0, rdevMajor: 0, rdevMinor: 0 };
  return {
    ...known,
    ...none,
    mode: 0o644,
    uid: 0,
    gid: 0,
    blocks512: 8,
    linkCount: 1,
    atimeNs: 0n,
    mtimeSeconds: mtime.seconds,
    mtimeRestNs: mtime.nanoseconds,
    ctimeSeconds: ctime.seconds,
    ctimeRestNs: ctime.nanoseconds,
  };
}
