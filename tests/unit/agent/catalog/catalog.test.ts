// The catalog: what names a backup, listings, times and inodes that do not fit a number, a lost
// catalog.

import process from "node:process";
import { mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Catalog, resolveReference } from "../../../../agent/catalog/mod.ts";
import { joinPath, splitPath } from "../../../../agent/catalog/entry_row.ts";
import type { Entry, IndexRow } from "../../../../agent/entry.ts";
import { compressFrame, encodeIndexRows, MediaReader } from "../../../../agent/media/mod.ts";
import { MediaWriter } from "../../../../agent/media/mod.ts";
import {
  clock,
  fileEntry,
  files,
  makeArchive,
  makeLabel,
  makeResult,
  sampleMembers,
  withFolder,
} from "../media/media_fixture.ts";
import { lastBackupViews } from "../../../../agent/server/last_backups.ts";
import { codeOf, openVault, publish } from "../vault/vault_fixture.ts";

/** A media file whose rows are `rows`, each a member of one block in one large frame per 4096. */
function writeMedia(path: string, rows: readonly IndexRow[], number = 1): void {
  const perFrame = 4096;
  const writer = new MediaWriter({ files, path, label: makeLabel() });
  const frame = compressFrame(new Uint8Array(perFrame * 512), 1);
  for (let first = 0, sequence = 0; first < rows.length; first += perFrame, sequence++) {
    const part = rows.slice(first, first + perFrame);
    writer.append({
      sequence,
      frame,
      tarBytes: perFrame * 512,
      rows: encodeIndexRows(part),
      rowCount: part.length,
      contentBytes: 0,
    });
  }
  writer.finish(makeResult(), number);
}

function rowsOf(entries: readonly Entry[]): IndexRow[] {
  return entries.map((entry, at) => ({ entry, tarOffset: at * 512, tarBytes: 512 }));
}

describe("resolveReference()", () => {
  const backups = [
    { backup: "20261101T000000Z-web01-aaaa", client: "web01", database: null },
    { backup: "20261102T000000Z-db01-bbbb", client: "db01", database: "app" },
    { backup: "20261103T000000Z-web01-cccc", client: "web01", database: null },
    { backup: "2026", client: "old", database: null },
  ];
  const cases: readonly [string, number][] = [
    ["latest", 3],
    ["latest:web01", 2],
    ["latest:db01", 1],
    ["latest:app", 1],
    ["20261102", 1],
    ["20261101T000000Z-web01-aaaa", 0],
    ["2026", 3],
  ];
  for (const [reference, wanted] of cases) {
    test(`finds number ${wanted} for ${reference}`, () => {
      expect(backups.indexOf(resolveReference(backups, reference))).toBe(wanted);
    });
  }
  for (const reference of ["", "202611", "x", "latest:none", "latest:", "Latest"]) {
    test(`fails as not_found for ${JSON.stringify(reference)}`, () => {
      expect(codeOf(() => resolveReference(backups, reference))).toBe("not_found");
    });
  }
  test("fails as not_found for latest of nothing", () => {
    expect(codeOf(() => resolveReference([], "latest"))).toBe("not_found");
  });
});

describe("splitPath()", () => {
  test("is undone by joinPath()", () => {
    const name = fc.uint8Array({ min: 48, max: 255, minLength: 1, maxLength: 5 });
    fc.assert(fc.property(fc.array(name, { maxLength: 4 }), (names) => {
      const path = Uint8Array.from(names.length === 0 ? [47] : names.flatMap((n) => [47, ...n]));
      const { parent, name: last } = splitPath(path);
      expect(joinPath(parent, last)).toEqual(path);
      expect(parent.length).toBeLessThan(path.length);
    }));
  });
});

describe("Catalog", () => {
  test("rows() gives every field back, also those that fit no number", async () => {
    await withFolder((folder) => {
      const entries: Entry[] = [
        fileEntry("/", { type: "directory", inode: 2n ** 64n - 1n }),
        fileEntry("/1960", { mtimeNs: -300_000_000_000_000_001n, ctimeNs: -1n, inode: 2n ** 63n }),
        fileEntry("/2500", { mtimeNs: 16_725_225_600_000_000_001n, sizeBytes: 2 ** 52 + 1 }),
        fileEntry("/null", { type: "character", rdev: { major: 1, minor: 3 } }),
        fileEntry("/sym", { type: "symlink", target: Uint8Array.from([0xff, 0x2f, 0x01]) }),
        fileEntry(Uint8Array.from([0x2f, 0xff, 0x80]), { uid: 2 ** 32 - 1, mode: 0o7777 }),
      ];
      writeMedia(`${folder}/m`, rowsOf(entries));
      using catalog = Catalog.open(`${folder}/catalog.sqlite`);
      using media = new MediaReader(files, `${folder}/m`);
      catalog.import(media);
      const found = [...catalog.rowsInTarOrder(catalog.backup("latest"))];
      expect(found).toEqual(rowsOf(entries).map((row) => ({ ...row, media: 1, unsettled: false })));
      expect(catalog.list("latest", "/").length).toBe(5);
      expect(catalog.list("latest", "/1960")[0]?.mtime).toBe("1960-06-29T18:39:59.999999999Z");
      expect(catalog.list("latest", "/2500")[0]?.mtime).toBe("2500-01-01T00:00:00.000000001Z");
    });
  });

  test("lastBackups() finds the newest and the newest complete one of each client", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      expect(vault.lastBackups()).toEqual([]);
      const database = { kind: "sqlite", database: "app", paths: ["/app.db"] } as const;
      const made = [
        { backup: "a", client: "web01", startedMs: 1000, status: "ok" },
        { backup: "b", client: "web01", startedMs: 2000, paths: ["/etc"], status: "ok" },
        { backup: "c", client: "web01", startedMs: 3000, status: "incomplete" },
        { backup: "d", client: "db01", startedMs: 4000, ...database, status: "incomplete" },
        { backup: "e", client: "web01", startedMs: 5000, paths: ["/old"], status: "ok" },
      ] as const;
      for (const { status, ...label } of made) publish(folder, { label, result: { status } });
      using catalog = Catalog.open(`${folder}/catalog.sqlite`);
      catalog.markExpired(["e"]);
      const found = vault.lastBackups();
      const files = { kind: "filesystem", database: null } as const;
      const app = { kind: "sqlite", database: "app" } as const;
      expect(found).toEqual([
        { client: "db01", ...app, newestMs: 4000, completeMs: null },
        { client: "web01", ...files, newestMs: 3000, completeMs: 2000 },
      ]);
      const views = lastBackupViews(found, { clients: ["web01", "new01"], nowMs: 62_000 });
      const never = { lastSuccess: null, lastSuccessAgeSeconds: null };
      const time = (second: number) => `1970-01-01T00:00:0${second}.000Z`;
      expect(views).toEqual([
        { client: "db01", ...app, lastBackup: time(4), ...never },
        {
          client: "web01",
          ...files,
          lastBackup: time(3),
          lastSuccess: time(2),
          lastSuccessAgeSeconds: 60,
        },
        { client: "new01", kind: null, database: null, lastBackup: null, ...never },
      ]);
    });
  });

  test("import() fails as damaged and changes nothing when rows are missing", async () => {
    await withFolder((folder) => {
      writeMedia(`${folder}/m`, rowsOf([fileEntry("/a")]));
      using catalog = Catalog.open(`${folder}/catalog.sqlite`);
      using media = new MediaReader(files, `${folder}/m`);
      const lying = Object.create(media, {
        trailer: { value: { ...media.trailer, rows: 2 } },
        groupCount: { value: 1 },
        groupPages: { value: () => media.groupPages(0) },
        label: { value: media.label },
        sizeBytes: { value: media.sizeBytes },
      }) as MediaReader;
      expect(codeOf(() => catalog.import(lying))).toBe("damaged");
      expect(catalog.backups()).toEqual([]);
      catalog.import(media);
      expect(catalog.backups().length).toBe(1);
    });
  });

  test("open() refuses the catalog of a newer version", async () => {
    await withFolder((folder) => {
      const path = `${folder}/catalog.sqlite`;
      Catalog.open(path).close();
      runSql(path, "PRAGMA user_version = 99");
      expect(codeOf(() => Catalog.open(path))).toBe("unsupported");
    });
  });

  test("Vault.open() makes the same catalog again from the media alone", async () => {
    await withFolder((folder) => {
      {
        using _vault = openVault(folder);
        publish(folder, { label: { backup: "zz" } });
        publish(folder, { label: { backup: "aa", client: "db01" } });
        const archive = makeArchive(sampleMembers().slice(0, 4));
        publish(folder, { label: { backup: "mm" }, archive });
      }
      mkdirSync(`${folder}/old`);
      for (const name of readdirSync(folder).filter((name) => name.startsWith("catalog.sqlite"))) {
        renameSync(`${folder}/${name}`, `${folder}/old/${name}`);
      }
      using vault = openVault(folder);
      expect(vault.recovery).toEqual({
        keptPartial: [],
        removedPartial: [],
        adopted: ["zz", "aa", "mm"],
        unreadable: [],
      });
      using old = Catalog.open(`${folder}/old/catalog.sqlite`);
      using fresh = Catalog.open(`${folder}/catalog.sqlite`);
      expect(fresh.backups()).toEqual(old.backups());
      for (const backup of old.backups()) {
        expect([...fresh.rows(backup)]).toEqual([...old.rows(backup)]);
      }
    });
  });

  test("import() keeps under 200 bytes a file, and a listing is quick among 100,000", async () => {
    await withFolder((folder) => {
      const count = 100_000;
      const entries = Array.from({ length: count }, (_, at) => {
        const directory = String(Math.floor(at / 50)).padStart(6, "0");
        return fileEntry(`/srv/data/projects/${directory}/report-${at}.json`, {
          sizeBytes: at * 17,
          inode: BigInt(at + 1_000_000),
        });
      });
      writeMedia(`${folder}/m`, rowsOf(entries));
      using catalog = Catalog.open(`${folder}/catalog.sqlite`);
      using media = new MediaReader(files, `${folder}/m`);
      const start = clock.monotonicMs();
      catalog.import(media);
      const imported = clock.monotonicMs();
      const listed = catalog.list("latest", "/srv/data/projects/001234");
      const end = clock.monotonicMs();
      expect(listed.length).toBe(50);
      catalog.close();
      const perFile = statSync(`${folder}/catalog.sqlite`).size / count;
      expect(perFile).toBeLessThan(200);
      // For the reader of the log; machines differ too much to assert it.
      const took = `import ${Math.round(imported - start)} ms, listing ${
        Math.round(end - imported)
      }`;
      process.stderr.write(`100,000 rows: ${took} ms, ${Math.round(perFile)} bytes a file\n`);
    });
  });
});

function runSql(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}
