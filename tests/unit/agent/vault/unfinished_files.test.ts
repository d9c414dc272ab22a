// What is written beside its place and gets its name at the end: nothing of it stays behind when
// that fails or is given up, and the next start of the vault takes away what a kill left.

import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { Drill } from "../../../../agent/control/drill_view.ts";
import { rebuildCatalog } from "../../../../agent/vault/mod.ts";
import { BackupMarks } from "../../../../agent/vault/backup_marks.ts";
import { SystemError } from "../../../../transport/runtime/mod.ts";
import type { BackupRange } from "../../../../agent/wal/mod.ts";
import { files, withFolder } from "../media/media_fixture.ts";
import { codeOf, failingFiles, openVault, publish, unreadableFiles } from "./vault_fixture.ts";

const RANGE: BackupRange = {
  system: "7000000000000000001",
  timeline: 1,
  startLsn: 0x2000028n,
  stopLsn: 0x3000000n,
  stopMs: 0,
  segmentBytes: 16 * 1024 * 1024,
  archived: true,
};

const DRILL: Drill = {
  time: "2026-11-22T17:15:00.123Z",
  status: "ok",
  entries: 3,
  of: 3,
  bytes: 1234,
  differences: 0,
  unproved: 0,
  undecrypted: false,
  seed: null,
};

/** Names in the vault and in its media directory that are not of finished files. */
function unfinished(folder: string): string[] {
  return [...readdirSync(folder), ...readdirSync(`${folder}/media`)]
    .filter((name) => name.includes(".new"));
}

describe("a mark", () => {
  const writes = [
    ["setRange", (marks: BackupMarks) => marks.setRange("b", RANGE)],
    ["setDrill", (marks: BackupMarks) => marks.setDrill("b", DRILL)],
  ] as const;
  for (const [name, write] of writes) {
    test(`leaves nothing when ${name}() finds no space`, async () => {
      await withFolder((folder) => {
        for (const failAt of [1, 2, 3]) {
          expect(() => write(new BackupMarks(failingFiles(failAt, "ENOSPC"), folder)))
            .toThrow(SystemError);
          expect([failAt, readdirSync(folder)]).toEqual([failAt, []]);
        }
        write(new BackupMarks(files, folder));
        expect(readdirSync(folder).length).toBe(1);
      });
    });
  }
});

describe("rebuildCatalog()", () => {
  test("leaves nothing when it is given up, and the old catalog in its place", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      publish(folder);
      for (const _ of rebuildCatalog({ directory: folder, files })) {
        expect(unfinished(folder)).toContain("catalog.sqlite.new");
        break;
      }
      expect(unfinished(folder)).toEqual([]);
      expect(vault.backups().length).toBe(1);
    });
  });

  test("leaves nothing when it fails", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      publish(folder);
      const path = `${folder}/${vault.backup("latest").media}`;
      const through = unreadableFiles({ path, errno: "EMFILE" });
      expect(codeOf(() => [...rebuildCatalog({ directory: folder, files: through })]))
        .toBe("failed");
      expect(unfinished(folder)).toEqual([]);
    });
  });
});

describe("Vault.open()", () => {
  test("takes away what a killed rebuild, drill or backup was writing", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      publish(folder);
      for (const suffix of ["", "-wal", "-shm"]) {
        writeFileSync(`${folder}/catalog.sqlite.new${suffix}`, "half");
      }
      for (const mark of ["wal", "drilled"]) writeFileSync(`${folder}/media/b.${mark}.new`, "h");
      writeFileSync(`${folder}/media/somebody.new`, "not ours");
      using vault = openVault(folder);
      expect(unfinished(folder)).toEqual(["somebody.new"]);
      expect(vault.backups().length).toBe(1);
    });
  });

  test("does so also when the catalog cannot be used", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      rmSync(`${folder}/catalog.sqlite-wal`, { force: true });
      writeFileSync(`${folder}/catalog.sqlite`, "x".repeat(8192));
      writeFileSync(`${folder}/catalog.sqlite.new`, "half");
      using vault = openVault(folder);
      expect(vault.trouble?.code).toBe("damaged");
      expect(unfinished(folder)).toEqual([]);
    });
  });
});
