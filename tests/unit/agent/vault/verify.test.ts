// Verification finds every flipped bit, and says which paths it touches.

import { DatabaseSync } from "node:sqlite";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { VaultReader, verifyError } from "../../../../agent/vault/mod.ts";
import type { VerifyReport } from "../../../../agent/vault/mod.ts";
import { MediaReader } from "../../../../agent/media/mod.ts";
import { MediaStore } from "../../../../agent/vault/media_store.ts";
import { verifyBackup } from "../../../../agent/vault/verify.ts";
import { Catalog } from "../../../../agent/catalog/mod.ts";
import { isTarHeader } from "../../../../agent/vault/tar_block.ts";
import {
  files,
  makeArchive,
  makeRecords,
  random,
  sampleMembers,
  withFolder,
} from "../media/media_fixture.ts";
import type { Member } from "../media/media_fixture.ts";
import { codeOf, openVault, publish, unreadableFiles } from "./vault_fixture.ts";

function verify(folder: string, data: boolean, through = files): VerifyReport {
  using reader = VaultReader.open({ directory: folder, files: through });
  const run = reader.verify("latest", { data, subset: null });
  for (;;) {
    const step = run.next();
    if (step.done === true) return step.value;
  }
}

async function withBackup(body: (folder: string, media: string) => void): Promise<void> {
  await withFolder((folder) => {
    using vault = openVault(folder);
    publish(folder, { frameBytes: 2048 });
    body(folder, `${folder}/${vault.backup("latest").media}`);
  });
}

describe("verify()", () => {
  test("finds nothing in a sound backup, and reports progress to the end", async () => {
    await withBackup((folder) => {
      for (const data of [false, true]) {
        expect(verify(folder, data)).toMatchObject({ findings: [], findingCount: 0 });
        using reader = VaultReader.open({ directory: folder, files });
        const last = [...reader.verify("latest", { data, subset: null })].at(-1);
        expect(last?.type === "progress" && last.frames === last.totalFrames).toBe(true);
      }
      expect(verifyError([verify(folder, true)])).toBe(null);
    });
  });

  test("with data finds a flipped bit anywhere in the file", async () => {
    await withBackup((folder, media) => {
      const good = readFileSync(media);
      // Every byte would take a minute; a prime step meets every kind of place.
      for (let at = 0; at < good.length; at += 13) {
        const bad = Uint8Array.from(good);
        bad[at] = (bad[at] ?? 0) ^ 0x10;
        writeFileSync(media, bad);
        const report = verify(folder, true);
        expect(`${at}: ${report.findingCount > 0}`).toBe(`${at}: true`);
        expect(verifyError([report])?.code).toBe("damaged");
      }
    });
  });

  test("with data finds a sound frame that stands in another's place", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      // Noise does not compress: two frames of it have the same size.
      const noise = (): Member[] => [{ path: "/srv/noise", content: random.bytes(8000) }];
      publish(folder, { archive: makeArchive(noise()), frameBytes: 4096 });
      const media = `${folder}/${vault.backup("latest").media}`;
      const good = Uint8Array.from(readFileSync(media));
      const other = makeRecords(makeArchive(noise()), 4096)[1]?.frame ?? new Uint8Array(0);
      {
        using reader = new MediaReader(files, media);
        expect(reader.frames[1]?.compressedBytes).toBe(other.length);
        good.set(other, reader.frames[1]?.mediaOffset);
      }
      writeFileSync(media, good);
      expect(verify(folder, true).findings.map(({ paths }) => paths)).toEqual([["/srv/noise"]]);
    });
  });

  test("names the paths whose content lies in a damaged frame", async () => {
    await withBackup((folder, media) => {
      const good = Uint8Array.from(readFileSync(media));
      let place;
      {
        using reader = new MediaReader(files, media);
        place = reader.frames[0];
      }
      const at = (place?.mediaOffset ?? 0) + 40;
      good[at] = (good[at] ?? 0) ^ 1;
      writeFileSync(media, good);
      expect(verify(folder, false).findings).toEqual([]);
      const { findings } = verify(folder, true);
      expect(findings.length).toBe(1);
      expect(findings[0]?.paths).toEqual(["/srv", "/srv/a.txt", "/srv/big.bin"]);
      expect(findings[0]?.pathCount).toBe(3);
    });
  });

  test("finds a missing or shorter media file", async () => {
    await withBackup((folder, media) => {
      const good = readFileSync(media);
      writeFileSync(media, good.subarray(0, -1));
      expect(verify(folder, false).findingCount).toBe(1);
      rmSync(media);
      const { findings } = verify(folder, false);
      expect(findings[0]?.what).toMatch("no such file");
      expect(findings[0]?.pathCount).toBe(sampleMembers().length);
    });
  });

  for (
    const [what, sql] of [
      ["changed", "UPDATE entries SET mtime_n = mtime_n + 1 WHERE name = CAST('a.txt' AS BLOB)"],
      ["lost", "DELETE FROM entries WHERE name = CAST('a.txt' AS BLOB)"],
      ["moved", "UPDATE entries SET tar_offset = 513 WHERE name = CAST('a.txt' AS BLOB)"],
    ] as const
  ) {
    test(`finds a catalog row that was ${what}`, async () => {
      await withBackup((folder) => {
        const database = new DatabaseSync(`${folder}/catalog.sqlite`);
        database.exec(sql);
        database.close();
        const { findings } = verify(folder, false);
        expect(findings.length).toBeGreaterThan(0);
        expect(findings[0]?.paths).toEqual(["/srv/a.txt"]);
      });
    });
  }
});

describe("verify() of media with unreadable sectors", () => {
  /** Where frames and an index of a medium stand. */
  function places(media: string) {
    using reader = new MediaReader(files, media);
    const last = reader.frames.at(-1);
    const index = (last?.mediaOffset ?? 0) + (last?.compressedBytes ?? 0);
    return { frames: reader.frames, index };
  }

  test("names what lies in each such frame, and looks at all others", async () => {
    await withBackup((folder, media) => {
      const { frames } = places(media);
      for (const data of [true, false]) {
        const from = frames[0]?.mediaOffset ?? 0;
        const report = verify(
          folder,
          data,
          unreadableFiles({ path: media, errno: "EIO", from, to: from + 1 }),
        );
        expect(report.findings.map(({ paths }) => paths)).toEqual([
          ["/srv", "/srv/a.txt", "/srv/big.bin"],
        ]);
        expect(report.findings[0]?.what).toMatch("EIO");
        expect(verifyError([report])?.code).toBe("damaged");
      }
    });
  });

  test("finds an index that cannot be read once, and still proves the frames", async () => {
    await withBackup((folder, media) => {
      const { frames, index } = places(media);
      const bytes = Uint8Array.from(readFileSync(media));
      const at = (frames[0]?.mediaOffset ?? 0) + 40;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(media, bytes);
      const through = unreadableFiles({ path: media, errno: "EIO", from: index, to: index + 1 });
      const { findings } = verify(folder, true, through);
      expect(findings.map(({ paths }) => paths)).toEqual([
        [],
        ["/srv", "/srv/a.txt", "/srv/big.bin"],
      ]);
    });
  });

  test("finds a medium that may not be opened, with all its paths", async () => {
    await withBackup((folder, media) => {
      const { findings } = verify(folder, true, unreadableFiles({ path: media, errno: "EACCES" }));
      expect(findings.map(({ pathCount }) => pathCount)).toEqual([sampleMembers().length]);
    });
  });

  test("fails when no file can be opened any more: that is no damage", async () => {
    await withBackup((folder, media) => {
      using catalog = Catalog.open(`${folder}/catalog.sqlite`);
      const through = unreadableFiles({ path: media, errno: "EMFILE" });
      const parts = { catalog, store: new MediaStore({ directory: folder, files: through }) };
      const options = { data: true, subset: null };
      expect(codeOf(() => verifyBackup(parts, catalog.backup("latest"), options).next()))
        .toBe("failed");
    });
  });
});

describe("isTarHeader()", () => {
  test("is true for headers alone", () => {
    const { tar } = makeArchive(sampleMembers());
    expect(isTarHeader(tar.subarray(0, 512))).toBe(true);
    expect(isTarHeader(tar.subarray(0, 511))).toBe(false);
    expect(isTarHeader(new Uint8Array(512))).toBe(false);
    const flipped = tar.slice(0, 512);
    flipped[5] = (flipped[5] ?? 0) ^ 1;
    expect(isTarHeader(flipped)).toBe(false);
  });
});
