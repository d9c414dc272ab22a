// Backups that go on from one that was cut: what they keep, what they send again, and when.

import { execFileSync } from "node:child_process";
import { appendFileSync, linkSync, mkdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { type Files, SystemError } from "../../../../transport/runtime/files.ts";
import { files, picture, withFaults } from "../application/fixture.ts";
import { pattern } from "../media/media_fixture.ts";
import { IncrementalBed } from "./incremental_bed.ts";

const SETTLED = { settled: true } as const;
const LARGE = 200_000;
/** Bytes of a file after which nothing else fits a frame of 8 KiB. */
const FILLS_FRAME = 6000;

/** A tree whose backup is cut in the middle of its large file, or where `records` say. */
function cutBed(records = 12): IncrementalBed {
  const bed = new IncrementalBed(8 * 1024);
  mkdirSync(`${bed.source}/d`);
  for (const name of ["a", "b", "c"]) writeFileSync(`${bed.source}/d/${name}`, pattern(3000));
  writeFileSync(`${bed.source}/e`, pattern(LARGE));
  writeFileSync(`${bed.source}/f`, "the last one");
  bed.cutBackUp(SETTLED, { records, share: null });
  expect(bed.partials().length).toBe(1);
  return bed;
}

function expectWhole(bed: IncrementalBed, backup: string): void {
  const tree = picture(bed.source);
  using restored = bed.restore(backup);
  expect(picture(restored.path)).toBe(tree);
  using replayed = bed.replay(backup);
  expect(picture(replayed.path)).toBe(tree);
  expect(bed.findings(backup)).toEqual([]);
  // Nothing is stored again that did not change since.
  expect(bed.backUp(SETTLED).backup).toMatchObject({ files: 0, bytes: 0 });
}

function large(bed: IncrementalBed): string {
  return `${bed.source}/e`;
}

describe("a backup that goes on", () => {
  test("sends the rest of the large file in which it was cut, and what comes after it", () => {
    using bed = cutBed();
    const { backup, kept } = bed.backUp(SETTLED);
    expect(backup).toMatchObject({ level: "full", files: 7, bytes: 3 * 3000 + LARGE + 12 });
    // All but the directory that the walk was inside of, and the last file.
    expect(kept?.files).toBe(5);
    expect((kept?.bytes ?? 0) > 60_000 && (kept?.bytes ?? 0) < LARGE).toBe(true);
    expect(bed.partials()).toEqual([]);
    expectWhole(bed, backup.backup);
  });

  for (
    const [what, change] of [
      ["grew", (path: string) => appendFileSync(path, "more")],
      ["is gone", (path: string) => unlinkSync(path)],
      ["is a directory", (path: string) => {
        unlinkSync(path);
        mkdirSync(path);
      }],
    ] as const
  ) {
    test(`sends a large file again that ${what}`, () => {
      using bed = cutBed();
      change(large(bed));
      const { backup, kept } = bed.backUp(SETTLED);
      expect(kept?.bytes).toBe(3 * 3000);
      expectWhole(bed, backup.backup);
    });

    test(`makes up for a large file that ${what} when its rest was promised`, () => {
      using bed = cutBed();
      const { backup } = bed.backUp({ ...SETTLED, thenFirst: () => change(large(bed)) });
      expectWhole(bed, backup.backup);
    });
  }

  test("makes up for a large file whose rest cannot be read at first", () => {
    using bed = cutBed();
    let failures = 1;
    const through = withFaults({
      readAt: (descriptor, offset, into) => {
        if (failures === 0) return files.readAt(descriptor, offset, into);
        failures -= 1;
        throw new SystemError("EIO", "pread", large(bed));
      },
    });
    const { backup, kept } = bed.backUp({ ...SETTLED, through });
    expect([failures, kept?.files]).toEqual([0, 4]);
    expectWhole(bed, backup.backup);
  });

  test("does not go on within a large file that was changed just before it was read", () => {
    using bed = new IncrementalBed(8 * 1024);
    writeFileSync(large(bed), pattern(LARGE));
    bed.cutBackUp({ settled: false }, { records: 12, share: null });
    expect(bed.backUp(SETTLED).kept?.bytes).toBe(0);
  });

  test("does not go on within a file with holes", () => {
    using bed = new IncrementalBed(8 * 1024);
    execFileSync("truncate", ["-s", "1M", large(bed)]);
    appendFileSync(large(bed), pattern(LARGE));
    bed.cutBackUp(SETTLED, { records: 12, share: null });
    const { backup, kept } = bed.backUp(SETTLED);
    expect(kept?.bytes).toBe(0);
    expectWhole(bed, backup.backup);
  });

  test("takes back a tree that is gone or a file now", () => {
    using bed = cutBed(6);
    rmSync(`${bed.source}/d`, { recursive: true });
    writeFileSync(`${bed.source}/d`, "a file now");
    const { backup } = bed.backUp(SETTLED);
    expectWhole(bed, backup.backup);
  });

  test("is incremental where the cut one was, on the same parent", () => {
    using bed = new IncrementalBed(8 * 1024);
    writeFileSync(`${bed.source}/a`, pattern(3000));
    const full = bed.backUp(SETTLED).backup;
    for (const name of ["b", "c", "d"]) writeFileSync(`${bed.source}/${name}`, pattern(9000));
    bed.cutBackUp(SETTLED, { records: 3, share: null });
    const { backup, kept } = bed.backUp(SETTLED);
    expect(backup).toMatchObject({ level: "incremental", parent: full.backup, files: 4 });
    expect(kept?.files).toBe(1);
    expectWhole(bed, backup.backup);
  });

  test("leaves a cut one of another level alone, and gives it up when it is published", () => {
    using bed = new IncrementalBed(8 * 1024);
    for (const name of ["b", "c", "d"]) writeFileSync(`${bed.source}/${name}`, pattern(9000));
    bed.backUp(SETTLED);
    bed.cutBackUp({ ...SETTLED, full: true }, { records: 3, share: null });
    const { backup, kept } = bed.backUp(SETTLED);
    expect([backup.level, kept, bed.partials()]).toEqual(["incremental", null, []]);
  });

  test("stores a directory again that the first of two cuts left undone", () => {
    using bed = new IncrementalBed(8 * 1024);
    const [early, late, last] = ["m/x", "z/s/a", "z/t"].map((name) => `${bed.source}/${name}`);
    for (const name of ["m", "z/s"]) mkdirSync(`${bed.source}/${name}`, { recursive: true });
    for (const path of [early, late, last]) writeFileSync(path ?? "", pattern(FILLS_FRAME));
    bed.backUp(SETTLED);
    for (const path of [late, last]) writeFileSync(path ?? "", pattern(FILLS_FRAME + 1));
    // The file is there, but not its directory after it.
    bed.cutBackUp(SETTLED, { records: 1, share: null });
    writeFileSync(early ?? "", pattern(FILLS_FRAME + 1));
    bed.cutBackUp(SETTLED, { records: 2, share: null });
    const { backup } = bed.backUp(SETTLED);
    expectWhole(bed, backup.backup);
  });

  for (const isCut of [false, true]) {
    const where = isCut ? "the cut one itself" : "the parent";
    test(`stores a hard link of ${where} again whose first name is newer`, () => {
      using bed = new IncrementalBed(8 * 1024);
      for (const name of ["a", "c"]) writeFileSync(`${bed.source}/${name}`, pattern(FILLS_FRAME));
      linkSync(`${bed.source}/a`, `${bed.source}/b`);
      // The first name comes again although nothing changes, and its link does not.
      const options = { ...SETTLED, through: withRestlessFiles() };
      if (isCut) bed.cutBackUp(options, { records: 3, share: null });
      else bed.backUp(options);
      bed.cutBackUp(SETTLED, { records: isCut ? 2 : 1, share: null });
      const { backup } = bed.backUp(SETTLED);
      expectWhole(bed, backup.backup);
    });
  }
});

/** Files that are another time old whenever they are looked at again. */
function withRestlessFiles(): Files {
  let looks = 0n;
  const statDescriptor: Files["statDescriptor"] = (descriptor) => {
    const stat = files.statDescriptor(descriptor);
    const { inode, ctimeNs, mtimeNs, mtimeSeconds, mtimeRestNs, ctimeSeconds, ctimeRestNs } = stat;
    const seconds = { mtimeSeconds, mtimeRestNs, ctimeSeconds, ctimeRestNs };
    return { ...stat, ...seconds, inode, ctimeNs, mtimeNs: mtimeNs + ++looks };
  };
  return withFaults({ statDescriptor });
}
