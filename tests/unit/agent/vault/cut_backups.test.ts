// What the vault keeps of backups that were cut, and when it gives it up.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { MediaLabel } from "../../../../agent/media/mod.ts";
import { chooseCut, CutBackups, VaultWriter } from "../../../../agent/vault/mod.ts";
import { uselessCuts } from "../../../../agent/vault/cut_policy.ts";
import type { CutBackup } from "../../../../agent/vault/mod.ts";
import {
  files,
  makeArchive,
  makeLabel,
  makeRecords,
  sampleMembers,
  withFolder,
} from "../media/media_fixture.ts";
import { withSmallDisk } from "./small_disk.ts";
import { openVault, publish } from "./vault_fixture.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.now();
const SAMPLE = makeArchive(sampleMembers());

function cutOf(backup: string, fields: Partial<MediaLabel> = {}): CutBackup {
  const label = makeLabel({ backup, startedMs: NOW_MS, ...fields });
  return { backup, label, mediaBytes: 1 };
}

/** A backup that is begun and cut after some records. */
function cut(folder: string, label: Partial<MediaLabel>, count = 2, archive = SAMPLE): void {
  using vault = VaultWriter.open({ directory: folder, files });
  using writer = vault.begin(makeLabel({ startedMs: NOW_MS, ...label }));
  for (const record of makeRecords(archive).slice(0, count)) writer.append(record);
}

function partials(folder: string): string[] {
  return readdirSync(`${folder}/media`).filter((name) => name.endsWith(".partial")).sort();
}

describe("chooseCut()", () => {
  const next = makeLabel();
  test("takes the latest of the same source, level and parent", () => {
    const cuts = [cutOf("a"), cutOf("b", { startedMs: NOW_MS + 1 }), cutOf("c", { paths: ["/x"] })];
    expect(chooseCut(cuts, next)?.backup).toBe("b");
    expect(chooseCut(cuts, { ...next, client: "web02" })).toBe(null);
    expect(chooseCut(cuts, { ...next, exclude: ["/srv/x"] })).toBe(null);
    expect(chooseCut(cuts, { ...next, level: "incremental", needs: ["p"] })).toBe(null);
  });

  test("takes an incremental one only on the same parent", () => {
    const cuts = [cutOf("a", { level: "incremental", needs: ["p", "q"] })];
    expect(chooseCut(cuts, { ...next, level: "incremental", needs: ["p", "q"] })?.backup).toBe("a");
    expect(chooseCut(cuts, { ...next, level: "incremental", needs: ["p"] })).toBe(null);
    expect(chooseCut(cuts, next)).toBe(null);
  });

  test("takes none whose frames are encrypted", () => {
    expect(chooseCut([cutOf("a", { encryption: "age" })], next)).toBe(null);
  });
});

describe("uselessCuts()", () => {
  const none = { published: [], nowMs: NOW_MS };
  const ids = (cuts: readonly CutBackup[]) => cuts.map(({ backup }) => backup).sort();

  test("keeps one of each source, for some days", () => {
    const cuts = [cutOf("a"), cutOf("b", { startedMs: NOW_MS + 1 }), cutOf("c", { client: "x" })];
    expect(ids(uselessCuts(cuts, none))).toEqual(["a"]);
    expect(ids(uselessCuts(cuts, { ...none, nowMs: NOW_MS + 9 * DAY_MS }))).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  test("keeps none of a source that was published since, of a database, or encrypted", () => {
    const database = cutOf("d", { kind: "sqlite", database: "app" });
    const cuts = [cutOf("a"), database, cutOf("e", { client: "web02", encryption: "age" })];
    const published = [{ source: makeLabel(), startedMs: NOW_MS - 1 }];
    expect(ids(uselessCuts(cuts, { ...none, published }))).toEqual(["d", "e"]);
    const later = [{ source: makeLabel(), startedMs: NOW_MS + 1 }];
    expect(ids(uselessCuts(cuts, { ...none, published: later }))).toEqual(["a", "d", "e"]);
  });
});

describe("a backup that is cut", () => {
  test("is kept over a restart, listed apart from backups, and replaced by a later one", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      cut(folder, { backup: "one" });
      cut(folder, { backup: "two" });
      cut(folder, { backup: "none" }, 0);
      expect(partials(folder)).toEqual(["two.partial"]);
      using vault = openVault(folder);
      expect(vault.recovery.keptPartial).toEqual(["two"]);
      expect(vault.backups()).toEqual([]);
      expect(vault.cutBackups().map(({ backup }) => backup)).toEqual(["two"]);
    });
  });

  test("of a database leaves nothing", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      cut(folder, { backup: "one", kind: "sqlite", database: "app" });
      expect(partials(folder)).toEqual([]);
    });
  });

  test("is given up when a backup of its source was published", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      cut(folder, { backup: "one" });
      cut(folder, { backup: "other", paths: ["/other"] });
      publish(folder, { label: { backup: "new" } });
      expect(partials(folder)).toEqual(["other.partial"]);
    });
  });

  test("stays while it is being written, and what cannot be read goes at a start", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      writeFileSync(`${folder}/media/torn.partial`, "torn");
      using vault = VaultWriter.open({ directory: folder, files });
      using writer = vault.begin(makeLabel({ backup: "busy", startedMs: NOW_MS }));
      const cuts = new CutBackups({ directory: folder, files });
      expect([cuts.list(), cuts.open("busy"), cuts.remove(() => true)]).toEqual([[], null, []]);
      writer.abort();
      expect(openVault(folder).recovery.removedPartial).toEqual(["torn"]);
      expect(partials(folder)).toEqual([]);
    });
  });

  test("is the first thing that goes on a full disk", async () => {
    await withSmallDisk("4m", (folder, fill) => {
      openVault(folder).close();
      const content = crypto.getRandomValues(new Uint8Array(48_000));
      const big = makeArchive([{ path: "/srv/big", content }]);
      cut(folder, { backup: "one", paths: ["/other"] }, Infinity, big);
      using vault = VaultWriter.open({ directory: folder, files });
      using writer = vault.begin(makeLabel({ backup: "new", startedMs: NOW_MS }));
      fill(8192);
      for (const record of makeRecords(big)) writer.append(record);
      expect(existsSync(`${folder}/media/one.partial`)).toBe(false);
      expect(writer.nextSequence > 5).toBe(true);
    });
  });
});
