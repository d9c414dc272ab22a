// What an expiry removes of archived logs: never what a kept backup needs, or might.

import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { RetentionConfig } from "../../../../agent/config/mod.ts";
import { VaultExpirer } from "../../../../agent/vault/mod.ts";
import type { WalExpiry } from "../../../../agent/vault/mod.ts";
import {
  encodeBackupRange,
  isUnneeded,
  parseWalFileName,
  segmentName,
  WalArchive,
  walNeed,
} from "../../../../agent/wal/mod.ts";
import type { BackupRange } from "../../../../agent/wal/mod.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import { files, random, withFolder } from "../media/media_fixture.ts";
import { packed, SEGMENT_BYTES, SYSTEM, textBytes } from "../wal/wal_fixture.ts";
import { rules } from "./random_retention.ts";
import { Crash, failingFiles, openVault, publish } from "./vault_fixture.ts";

const LAST_ONE: RetentionConfig = { general: rules({ last: 1 }), clients: [] };

const lsn = (segment: number) => BigInt(segment) * BigInt(SEGMENT_BYTES);

function range(segment: number, fields: Partial<BackupRange> = {}): BackupRange {
  return {
    system: SYSTEM,
    timeline: 1,
    startLsn: lsn(segment) + 40n,
    stopLsn: lsn(segment) + 400n,
    stopMs: 1_700_000_000_000,
    segmentBytes: SEGMENT_BYTES,
    archived: true,
    ...fields,
  };
}

const name = (segment: number, timeline = 1) => segmentName(timeline, segment, SEGMENT_BYTES);

describe("walNeed()", () => {
  const kept = (backup: string, own: BackupRange | null) => ({ backup, range: own });

  test("is the earliest start of the cluster's backups, and the newest of their timelines", () => {
    const need = walNeed([
      kept("late", range(9, { timeline: 3 })),
      kept("early", range(5, { timeline: 2 })),
      kept("other", range(1, { system: "99" })),
    ], SYSTEM);
    expect(need).toEqual({
      segmentBytes: SEGMENT_BYTES,
      firstIndex: 5,
      firstSegment: name(5, 2),
      newestTimeline: 3,
      backup: "early",
    });
  });

  test("is everything while it is not known what is needed", () => {
    const why = (kepts: Parameters<typeof walNeed>[0]) => {
      const need = walNeed(kepts, SYSTEM);
      return "everything" in need ? need.everything : "something";
    };
    expect(why([])).toContain("no kept backup");
    expect(why([kept("other", range(5, { system: "99" }))])).toContain("no kept backup");
    expect(why([kept("new", range(5)), kept("old", null)])).toContain("old does not say");
    expect(why([kept("a", range(5)), kept("b", range(6, { segmentBytes: 2 * SEGMENT_BYTES }))]))
      .toContain("segment sizes");
  });

  test("isUnneeded() is what lies before, on timelines that a kept backup has reached", () => {
    const need = walNeed([kept("b", range(5, { timeline: 2 }))], SYSTEM);
    if ("everything" in need) throw new Error(need.everything);
    const unneeded = [
      [name(4), true],
      [name(4, 2), true],
      [`${name(4)}.partial`, true],
      [`${name(4)}.00000028.backup`, true],
      [name(5), false],
      [name(5, 2), false],
      [name(4, 3), false],
      ["00000002.history", false],
      // No segment of this size: nobody knows where it lies.
      ["000000010000000000001000", false],
    ] as const;
    for (const [text, gone] of unneeded) {
      const file = parseWalFileName(text);
      if (file === null) throw new Error(text);
      expect([text, isUnneeded(file, need)]).toEqual([text, gone]);
    }
  });
});

/** A small file that lies where the segment does. */
const small = (segment: number) => `${name(segment)}.00000028.backup`;

/** An archive with files of segments 2 to 8, and another database's with two. */
async function fillArchive(directory: string): Promise<void> {
  for (const [database, last] of [["pg", 8], ["other", 3]] as const) {
    const archive = WalArchive.open({
      files,
      directory,
      client: "web01",
      database,
      system: SYSTEM,
    });
    await archive.store("00000002.history", packed(textBytes("1\t0/300000\tx\n")));
    for (let segment = 2; segment <= last; segment++) {
      await archive.store(small(segment), packed(textBytes("START WAL LOCATION")));
    }
  }
}

const PG = { kind: "postgresql", database: "pg", paths: ["/pg"] } as const;

async function fill(directory: string): Promise<void> {
  openVault(directory).close();
  publish(directory, { label: { backup: "b1", ...PG }, range: range(3) });
  publish(directory, { label: { backup: "b2", ...PG }, range: range(6) });
  await fillArchive(directory);
}

function run(directory: string, through: Files = files, dryRun = false): readonly WalExpiry[] {
  using expirer = VaultExpirer.open({ directory, files: through, random });
  const items = last(expirer.expire(LAST_ONE, { dryRun }));
  return last(expirer.expireWal(items, { dryRun }));
}

function last<T>(steps: Generator<void, T>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** Names in the archive of "pg". */
function archived(directory: string, database = "pg"): string[] {
  const archive = WalArchive.open({ files, directory, client: "web01", database, system: SYSTEM });
  return [...archive.list()].map(({ file }) => file.name);
}

const AFTER = ["00000002.history", small(6), small(7), small(8)];

describe("VaultExpirer.expireWal()", () => {
  test("removes what lies before the earliest start of a kept backup, and nothing in a dry run", async () => {
    await withFolder(async (folder) => {
      await fill(folder);
      const before = archived(folder);
      const dry = run(folder, files, true);
      expect(archived(folder)).toEqual(before);
      const done = run(folder);
      expect(done).toEqual(dry);
      const [other, own] = done;
      expect(own).toMatchObject({
        client: "web01",
        database: "pg",
        system: SYSTEM,
        files: 4,
        why: `b2 needs ${name(6)}`,
      });
      expect(own?.bytes).toBe(4 * packed(textBytes("START WAL LOCATION")).compressed.length);
      expect(other).toMatchObject({ database: "other", files: 0, bytes: 0 });
      expect(archived(folder)).toEqual(AFTER);
      expect(archived(folder, "other").length).toBe(3);
      expect(readdirSync(`${folder}/media`).sort()).toEqual(["b2.tar.zst", "b2.wal"]);
      expect(run(folder).map(({ files: count }) => count)).toEqual([0, 0]);
    });
  });

  test("keeps everything for a kept backup that does not say what it needs", async () => {
    await withFolder(async (folder) => {
      await fill(folder);
      publish(folder, { label: { backup: "b3", ...PG } });
      const before = archived(folder);
      expect(run(folder).map(({ why }) => why)[1]).toContain("b3 does not say");
      writeFileSync(`${folder}/media/b3.wal`, "{");
      expect(run(folder).map(({ why }) => why)[1]).toContain("b3 does not say");
      expect(archived(folder)).toEqual(before);
    });
  });

  test("keeps what a backup needs that is about to be published, and forgets one that failed", async () => {
    await withFolder(async (folder) => {
      await fill(folder);
      const before = archived(folder);
      writeFileSync(`${folder}/media/b3.partial`, "");
      writeFileSync(`${folder}/media/b3.wal`, encodeBackupRange(range(2)));
      expect(run(folder)[1]).toMatchObject({ files: 0, why: `b3 needs ${name(2)}` });
      expect(archived(folder)).toEqual(before);
      rmSync(`${folder}/media/b3.partial`);
      expect(run(folder)[1]).toMatchObject({ files: 4, why: `b2 needs ${name(6)}` });
      expect(existsSync(`${folder}/media/b3.wal`)).toBe(false);
    });
  });

  test("ends right after a crash at every call of it", async () => {
    const calls = { before: 0, after: 0 };
    await withFolder(async (folder) => {
      await fill(folder);
      const counted = failingFiles(Infinity, "crash");
      using expirer = VaultExpirer.open({ directory: folder, files: counted, random });
      const items = last(expirer.expire(LAST_ONE, { dryRun: false }));
      calls.before = counted.calls;
      last(expirer.expireWal(items, { dryRun: false }));
      calls.after = counted.calls;
    });
    expect(calls.after - calls.before).toBeGreaterThan(15);
    for (let failAt = calls.before + 1; failAt <= calls.after; failAt++) {
      await withFolder(async (folder) => {
        await fill(folder);
        const dying = failingFiles(failAt, "crash");
        expect(crashes(() => run(folder, dying))).toBe(true);
        dying.bury();
        expect(archived(folder)).toEqual(expect.arrayContaining(AFTER));
        run(folder);
        expect(archived(folder)).toEqual(AFTER);
        expect(existsSync(`${folder}/media/b1.wal`)).toBe(false);
      });
    }
  }, 60_000);
});

/** A dead process closes nothing, so that the end of `using` fails, too. */
function crashes(body: () => void): boolean {
  try {
    body();
    return false;
  } catch (error) {
    return error instanceof Crash || error instanceof SuppressedError;
  }
}
