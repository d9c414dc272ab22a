// The vault's life: open, publish, list, close, recover.

import {
  copyFileSync,
  existsSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "bun:test";
import { rebuildCatalog, VaultWriter } from "../../../../agent/vault/mod.ts";
import { backupId } from "../../../../agent/vault/backup_id.ts";
import { files, makeArchive, makeLabel, withFolder } from "../media/media_fixture.ts";
import { codeOf, openVault, publish } from "./vault_fixture.ts";

describe("Vault", () => {
  test("backup() and list() show what was published", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      expect(vault.backups()).toEqual([]);
      publish(folder, { result: { fallback: "stg0 down", status: "incomplete" } });
      const backup = vault.backup("latest");
      expect(backup).toMatchObject({
        backup: "20261122T171500Z-web01-x7k2",
        client: "web01",
        kind: "filesystem",
        database: null,
        time: "2026-11-22T17:15:00.123Z",
        status: "incomplete",
        files: 3,
        bytes: 1234,
        fallback: "stg0 down",
        paths: ["/srv"],
        channels: { network: { bytes: 10 }, storage: { bytes: 2000 } },
        media: "media/20261122T171500Z-web01-x7k2.tar.zst",
        number: 1,
      });
      expect(existsSync(`${folder}/${backup.media}`)).toBe(true);
      expect(vault.list("latest", null).map((entry) => entry.path)).toEqual(["/srv"]);
      const children = vault.list("latest", "/srv/");
      expect(children.length).toBe(8);
      expect(children[0]).toEqual({
        path: "/srv/a.txt",
        pathBase64: null,
        type: "file",
        mode: "0644",
        uid: 1000,
        gid: 100,
        bytes: 6,
        mtime: "2023-11-14T22:13:20.123456789Z",
        target: null,
      });
      const odd = children.find((entry) => entry.pathBase64 !== null);
      expect(atob(odd?.pathBase64 ?? "")).toBe("/srv/x\xff\xfe");
      expect(vault.list("latest", "/srv/sym")).toMatchObject([{
        type: "symlink",
        target: "a.txt",
      }]);
      expect(codeOf(() => vault.list("latest", "/srv/nothing"))).toBe("not_found");
    });
  });

  test("open() fails as busy while another holds the lock, and works after it", async () => {
    await withFolder((folder) => {
      const first = openVault(folder);
      expect(codeOf(() => openVault(folder))).toBe("busy");
      first.close();
      first.close();
      openVault(folder).close();
    });
  });

  test("open() fails with a hint when the place is no directory", async () => {
    await withFolder((folder) => {
      writeFileSync(`${folder}/file`, "");
      expect(codeOf(() => openVault(`${folder}/file`))).toBe("failed");
      expect(codeOf(() => openVault(`${folder}/missing/parent`))).toBe("failed");
    });
  });

  test("rebuildCatalog() makes a damaged catalog whole, and until then every call says so", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      publish(folder);
      publish(folder, { label: { backup: "b2", client: "db01" } });
      const before = readListing(folder);
      rmSync(`${folder}/catalog.sqlite-wal`, { force: true });
      writeFileSync(`${folder}/catalog.sqlite`, "x".repeat(8192));
      using vault = openVault(folder);
      expect(vault.trouble?.code).toBe("damaged");
      expect(codeOf(() => vault.backups())).toBe("damaged");
      let running = true;
      vault.giveUpCatalog(() => running);
      expect(codeOf(() => vault.backups())).toBe("busy");
      copyFileSync(`${folder}/media/b2.tar.zst`, `${folder}/media/other.tar.zst`);
      const steps = [...rebuildCatalog({ directory: folder, files })];
      expect(steps.map(({ adoption }) => [adoption.backup, adoption.error?.code ?? null])).toEqual([
        ["other", "damaged"],
        ["20261122T171500Z-web01-x7k2", null],
        ["b2", null],
      ]);
      running = false;
      expect(vault.backups().map(({ backup }) => backup).at(-1)).toBe("b2");
      vault.close();
      expect(readListing(folder)).toBe(before);
    });
  });

  test("open() removes partial files and adopts finished ones that the catalog lost", async () => {
    await withFolder((folder) => {
      openVault(folder).close();
      publish(folder);
      publish(folder, { label: { backup: "b2", client: "db01" } });
      const before = readListing(folder);
      for (const suffix of ["", "-wal", "-shm"]) {
        rmSync(`${folder}/catalog.sqlite${suffix}`, { force: true });
      }
      writeFileSync(`${folder}/media/b3.partial`, "half");
      copyFileSync(`${folder}/media/b2.tar.zst`, `${folder}/media/cut.tar.zst`);
      truncateSync(`${folder}/media/cut.tar.zst`, 1000);
      using vault = openVault(folder);
      expect(vault.recovery.removedPartial).toEqual(["b3"]);
      expect(vault.recovery.adopted).toEqual(["20261122T171500Z-web01-x7k2", "b2"]);
      expect(vault.recovery.unreadable.map(({ backup }) => backup)).toEqual(["cut"]);
      expect(readdirSync(`${folder}/media`).sort()).toEqual([
        "20261122T171500Z-web01-x7k2.tar.zst",
        "b2.tar.zst",
        "cut.tar.zst",
      ]);
      vault.close();
      expect(readListing(folder)).toBe(before);
    });
  });

  test("newBackupId() is readable, sortable and fit for a file name", () => {
    const id = backupId(Date.UTC(2026, 10, 22, 17, 15, 0, 999), {
      client: "web/01 ü",
      random: Uint8Array.from([0, 1, 31, 255]),
    });
    expect(id).toBe("20261122T171500Z-web-01---01zz");
  });
});

describe("BackupWriter", () => {
  test("abort() leaves nothing behind", async () => {
    await withFolder((folder) => {
      using _vault = openVault(folder);
      using writer = VaultWriter.open({ directory: folder, files });
      writer.begin(makeLabel()).abort();
      expect(readdirSync(`${folder}/media`)).toEqual([]);
    });
  });

  test("publish() keeps the last member of a path that was sent twice", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      const archive = makeArchive([
        { path: "/srv/log", content: "first try" },
        { path: "/srv/other", content: "o" },
        { path: "/srv/log", content: "second try!" },
      ]);
      publish(folder, { archive });
      expect(vault.list("latest", "/srv").map(({ path, bytes }) => [path, bytes])).toEqual([
        ["/srv/log", 11],
        ["/srv/other", 1],
      ]);
    });
  });

  test("two backups of one source each keep their own tree", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      publish(folder, { label: { backup: "b1" } });
      const archive = makeArchive([{ path: "/srv", type: "directory" }]);
      publish(folder, { label: { backup: "b2" }, archive });
      expect(vault.list("b1", "/srv").length).toBe(8);
      expect(vault.list("b2", "/srv")).toEqual([]);
      expect(vault.backups().map(({ number }) => number)).toEqual([1, 2]);
    });
  });

  test("two writers publish side by side", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      using one = VaultWriter.open({ directory: folder, files });
      using two = VaultWriter.open({ directory: folder, files });
      const first = one.begin(makeLabel({ backup: "b1" }));
      const second = two.begin(makeLabel({ backup: "b2" }));
      second.publish(RESULT);
      first.publish(RESULT);
      expect(vault.backups().map(({ backup }) => backup)).toEqual(["b2", "b1"]);
    });
  });
});

const RESULT = {
  status: "ok",
  files: 0,
  bytes: 0,
  seconds: 0,
  channels: { network: { bytes: 0 }, storage: { bytes: 0 } },
  fallback: null,
  skipped: [],
  skippedCount: 0,
} as const;

function readListing(folder: string): string {
  using vault = openVault(folder);
  const paths = ["/srv", "/srv/docs", "/srv/a.txt"];
  return JSON.stringify(
    vault.backups().map((backup) => [
      backup,
      vault.list(backup.backup, null),
      paths.map((path) => vault.list(backup.backup, path)),
    ]),
  );
}
