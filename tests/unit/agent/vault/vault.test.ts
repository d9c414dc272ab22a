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
import { MediaReader } from "../../../../agent/media/mod.ts";
import { rebuildCatalog, VaultWriter } from "../../../../agent/vault/mod.ts";
import { backupId } from "../../../../agent/vault/backup_id.ts";
import { files, makeArchive, makeLabel, withFolder } from "../media/media_fixture.ts";
import { codeOf, openVault, publish, unreadableFiles } from "./vault_fixture.ts";

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

  test("list() takes the bytes of a name that is no UTF-8", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      const caf = Uint8Array.from([...new TextEncoder().encode("/srv/caf"), 0xe9]);
      const archive = makeArchive([
        { path: "/srv", type: "directory" },
        { path: caf, type: "directory" },
        { path: Uint8Array.from([...caf, 0x2f, 0xff]), content: "x" },
      ]);
      publish(folder, { archive });
      const [directory] = vault.list("latest", "/srv");
      const bytes = Uint8Array.fromBase64(directory?.pathBase64 ?? "");
      expect(bytes).toEqual(caf);
      const [inside] = vault.list("latest", bytes);
      expect(inside).toMatchObject({ path: "/srv/caf\ufffd/\ufffd", type: "file", bytes: 1 });
      const itself = Uint8Array.fromBase64(inside?.pathBase64 ?? "");
      expect(vault.list("latest", itself)).toMatchObject([{ path: "/srv/caf\ufffd/\ufffd" }]);
      expect(codeOf(() => vault.list("latest", "/srv/caf\ufffd"))).toBe("not_found");
      expect(codeOf(() => vault.list("latest", caf.subarray(0, -1)))).toBe("not_found");
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

  describe("with one medium that cannot be read", () => {
    const BAD = "20261122T171500Z-web01-x7k2";

    /** Publishes two backups and loses the catalog; the first one's medium is the bad one. */
    function loseCatalog(folder: string): { readonly path: string; readonly index: number } {
      openVault(folder).close();
      publish(folder);
      publish(folder, { label: { backup: "b2", client: "db01" } });
      for (const suffix of ["", "-wal", "-shm"]) {
        rmSync(`${folder}/catalog.sqlite${suffix}`, { force: true });
      }
      const path = `${folder}/media/${BAD}.tar.zst`;
      using media = new MediaReader(files, path);
      const last = media.frames.at(-1);
      return { path, index: (last?.mediaOffset ?? 0) + (last?.compressedBytes ?? 0) };
    }

    const cases = [
      ["that may not be opened", () => ({ errno: "EACCES" })],
      ["with a bad sector in its label", () => ({ errno: "EIO", from: 0, to: 1 })],
      ["with a bad sector in an index", (at: number) => ({ errno: "EIO", from: at, to: at + 9 })],
    ] as const;
    for (const [what, damage] of cases) {
      test(`open() and rebuildCatalog() leave one ${what} alone and report it`, async () => {
        await withFolder((folder) => {
          const { path, index } = loseCatalog(folder);
          const through = unreadableFiles({ path, ...damage(index) });
          {
            using vault = openVault(folder, through);
            expect(vault.recovery.adopted).toEqual(["b2"]);
            const [found, ...others] = vault.recovery.unreadable;
            expect([found?.backup, found?.error.code, others]).toEqual([BAD, "failed", []]);
            expect(found?.error.message).toMatch(path);
          }
          const steps = [...rebuildCatalog({ directory: folder, files: through })];
          const told = steps.map(({ adoption }) => [adoption.backup, adoption.error?.code ?? null]);
          expect(told.sort()).toEqual([[BAD, "failed"], ["b2", null]]);
          using vault = openVault(folder);
          expect(vault.recovery.adopted).toEqual([BAD]);
        });
      });
    }

    test("rebuildCatalog() fails when no file at all can be opened, and leaves the old one", async () => {
      await withFolder((folder) => {
        const { path } = loseCatalog(folder);
        openVault(folder).close();
        const through = unreadableFiles({ path, errno: "EMFILE" });
        expect(codeOf(() => [...rebuildCatalog({ directory: folder, files: through })]))
          .toBe("failed");
        using vault = openVault(folder);
        expect(vault.backups().length).toBe(2);
      });
    });

    test("open() gives up a cut backup whose label cannot be read", async () => {
      await withFolder((folder) => {
        openVault(folder).close();
        const path = `${folder}/media/cut.partial`;
        writeFileSync(path, "x".repeat(1000));
        using vault = openVault(folder, unreadableFiles({ path, errno: "EIO", from: 0 }));
        expect(vault.recovery.removedPartial).toEqual(["cut"]);
      });
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
