// The media format is frozen: the golden file reads as it always did, and the same frames, rows
// and facts make the same bytes again. Media written years ago must stay readable.

import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";
import { FilesystemRestorer } from "../../../../agent/application/mod.ts";
import { FrameOpener } from "../../../../agent/encryption/mod.ts";
import { decompressFrame, MediaReader, MediaWriter } from "../../../../agent/media/mod.ts";
import { EVERYTHING, selectionOf } from "../../../../agent/source_selection.ts";
import { VaultReader } from "../../../../agent/vault/mod.ts";
import { MediaStore } from "../../../../agent/vault/media_store.ts";
import { isEncrypted } from "../../../../agent/vault/verify.ts";
import { decompressed } from "../application/fixture.ts";
import { openVault } from "../vault/vault_fixture.ts";
import { currentRuntime } from "../../../../transport/mod.ts";
import { files, makeArchive, sampleMembers, withFolder } from "./media_fixture.ts";

const runtime = await currentRuntime();

const GOLDEN = goldenPath("format_1");
const FULL = goldenPath("format_2_full");
const INCREMENTAL = goldenPath("format_2_incremental");
const SELECTION = goldenPath("format_2_selection");
/** Its key lies beside it, in format_3_identity.txt: it protects nothing. */
const ENCRYPTED = goldenPath("format_3_encrypted");
/** Its first four frames are those of a backup that was cut, the rest of the one that went on. */
const CONTINUED = goldenPath("format_4_continued");
const IDENTITY = ENCRYPTED.replace("encrypted.tar.zst", "identity.txt");

function goldenPath(name: string): string {
  return fileURLToPath(
    new URL(`../../../golden/media/${name}.tar.zst`, import.meta.url).href,
  );
}

describe("the golden media file", () => {
  test("reads as the backup that it was made of", () => {
    using media = new MediaReader(files, GOLDEN);
    expect(media.label.backup).toBe("20261122T171500Z-web01-x7k2");
    expect(media.label.paths).toEqual(["/srv", "/etc/new\nline"]);
    expect(media.label.exclude).toEqual(["/srv/**/*.tmp"]);
    expect(media.trailer.number).toBe(3);
    expect(media.trailer.skipped).toEqual([{ path: "/srv/locked", reason: "EACCES" }]);
    expect([...media.indexRows()]).toEqual([...makeArchive(sampleMembers()).rows]);
  });

  test("restores with stock zstd and tar", async () => {
    await withFolder((folder) => {
      const command = `zstd -q -t '${GOLDEN}' && zstd -dc '${GOLDEN}' | tar -xpf -`;
      const result = spawnSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" });
      expect(`${result.status} ${result.stderr}`).toBe("0 ");
      expect(readFileSync(`${folder}/srv/docs/first`, "utf8")).toBe("shared data");
      expect(readFileSync(`${folder}/srv/sym`, "utf8")).toBe("alpha\n");
    });
  });
});

describe("the golden encrypted media file of format 3", () => {
  test("reads without a key but for its content, and that with its key", async () => {
    using media = new MediaReader(files, ENCRYPTED);
    expect(media.label).toMatchObject({ backup: "b0003", level: "full", encryption: "age" });
    const archive = makeArchive(sampleMembers());
    expect([...media.indexRows()]).toEqual([...archive.rows]);
    await withFolder(async (folder) => {
      const identityFile = `${folder}/identity.txt`;
      writeFileSync(identityFile, readFileSync(IDENTITY), { mode: 0o600 });
      const opener = new FrameOpener({ files, identityFile, aead: runtime.aead() });
      const tar: Uint8Array[] = [];
      for (const [sequence, { tarBytes }] of media.frames.entries()) {
        const record = { sequence, frame: media.readFrame(sequence), tarBytes, pieces: [] };
        tar.push(decompressFrame((await opener.open(record)).frame, tarBytes));
      }
      expect(tar.length).toBeGreaterThan(1);
      expect(Buffer.compare(Buffer.concat(tar), archive.tar)).toBe(0);
    });
  });

  test("gives its frames also when its label cannot be read", async () => {
    await withFolder((folder) => {
      const bytes = readFileSync(ENCRYPTED);
      bytes[12] = (bytes[12] ?? 0) ^ 1;
      writeFileSync(`${folder}/bad`, bytes);
      expect(() => new MediaReader(files, `${folder}/bad`)).toThrow("label");
      using media = new MediaReader(files, `${folder}/bad`, { framesOnly: true });
      using sound = new MediaReader(files, ENCRYPTED);
      expect([media.isSealed, sound.isSealed]).toEqual([true, true]);
      mkdirSync(`${folder}/media`);
      copyFileSync(`${folder}/bad`, `${folder}/media/b0003.tar.zst`);
      const store = new MediaStore({ directory: folder, files });
      expect(isEncrypted(store, "b0003")).toBe(true);
      for (const sequence of sound.frames.keys()) {
        expect(media.readProvedFrame(sequence)).toEqual(sound.readFrame(sequence));
      }
    });
  });

  test("restores with the commands of its label", async () => {
    await withFolder((folder) => {
      copyFileSync(ENCRYPTED, `${folder}/b0003.tar.zst`);
      copyFileSync(IDENTITY, `${folder}/identity.txt`);
      const label = readFileSync(ENCRYPTED).subarray(0, 2000).toString("latin1");
      const commands = [/set -o pipefail[^]*?\n {4}}\n/, /^ {4}unseal.*-xpf -$/m, /unseal.*zstd -t/]
        .map((part) => part.exec(label)?.[0] ?? "false").join("\n");
      const result = spawnSync("bash", ["-ec", commands], { cwd: folder, encoding: "utf8" });
      expect(`${result.status} ${result.stderr}`).toMatch(/^0 (?!.*error)/);
      expect(readFileSync(`${folder}/srv/docs/first`, "utf8")).toBe("shared data");
      expect(statSync(`${folder}/srv/big.bin`).size).toBe(20_000);
    });
  });
});

describe("the golden media files of format 2", () => {
  test("read as the full and the incremental backup that they were made of", () => {
    using full = new MediaReader(files, FULL);
    expect(full.label).toMatchObject({ backup: "b0001", level: "full", needs: [] });
    using media = new MediaReader(files, INCREMENTAL);
    expect(media.label).toMatchObject({
      backup: "b0002",
      level: "incremental",
      needs: ["b0001"],
      paths: ["/srv/golden"],
      exclude: ["/srv/golden/**/*.tmp"],
    });
    const text = new TextDecoder();
    const rows = [...media.indexRows()].map(({ entry }) => text.decode(entry.path).slice(11));
    expect(rows).toEqual(["", "/keep", "/keep/added", "/keep/changes", "/turns"]);
    const notes = [...media.groupPages(0)].flatMap((page) => page.notes)
      .map(({ kind, path }) => `${kind} ${text.decode(path).slice(11)}`);
    expect(notes).toContain("deleted /gone");
    expect(notes).toContain("unsettled /turns");
  });

  test("read as backups of everything, or of the selection that their label names", () => {
    using full = new MediaReader(files, FULL);
    expect(selectionOf(full.label)).toEqual({ ...EVERYTHING, exclude: full.label.exclude });
    using media = new MediaReader(files, SELECTION);
    expect(selectionOf(media.label)).toEqual({
      exclude: ["*.tmp", "!keep.tmp"],
      excludeCaches: true,
      oneFileSystem: true,
      excludeLargerThan: 104_857_600,
      ignoreFile: ".agentignore",
    });
  });

  test("are made again byte by byte from their own frames and rows", async () => {
    await withFolder((folder) => {
      for (const golden of [FULL, INCREMENTAL, SELECTION, ENCRYPTED]) {
        using media = new MediaReader(files, golden);
        const { number, frames: _f, rows: _r, tarBytes: _t, ...result } = media.trailer;
        const path = `${folder}/${basename(golden)}`;
        const writer = new MediaWriter({ files, path, label: media.label });
        for (let group = 0, sequence = 0; group < media.groupCount; group++) {
          for (const { tarBytes, rows, rowCount } of media.readGroup(group).frames) {
            const frame = media.readFrame(sequence);
            writer.append({ sequence, frame, tarBytes, rows, rowCount, contentBytes: 0 });
            sequence++;
          }
        }
        writer.finish(result, number);
        expect(Buffer.compare(readFileSync(path), readFileSync(golden))).toBe(0);
      }
    });
  });

  test("restore through a vault that knows nothing but them", async () => {
    await withFolder(async (folder) => {
      expectGoldenTree(`${await restored(folder, [FULL, INCREMENTAL])}/srv/golden`);
    });
  });

  test("restore with the commands of the label", async () => {
    await withFolder((folder) => {
      copyFileSync(FULL, `${folder}/b0001.tar.zst`);
      copyFileSync(INCREMENTAL, `${folder}/b0002.tar.zst`);
      const label = readFileSync(INCREMENTAL).subarray(0, 2000).toString("latin1");
      const command = /for b in [^]*?done/.exec(label)?.[0] ?? "false";
      const result = spawnSync("bash", ["-ec", command], { cwd: folder, encoding: "utf8" });
      expect(`${result.status} ${result.stderr}`).toBe("0 ");
      expectGoldenTree(`${folder}/srv/golden`);
    });
  });
});

describe("the golden media file of format 4", () => {
  test("reads as the backup that went on from one that was cut", () => {
    using media = new MediaReader(files, CONTINUED);
    expect(media.label).toMatchObject({ backup: "b0002", level: "full", needs: [] });
    expect(media.label.continued).toBe(true);
    const text = new TextDecoder();
    const groups = Array.from({ length: media.groupCount }, (_, group) => group);
    const pages = groups.flatMap((group) => [...media.groupPages(group)]);
    const rows = pages.flatMap((page) => page.rows.map(({ entry }) => text.decode(entry.path)));
    expect(rows.filter((path) => path.endsWith("/d/changes")).length).toBe(2);
    expect(rows).toContain("/srv/golden/d/gone");
    const notes = pages.flatMap((page) => page.notes)
      .map(({ kind, path }) => `${kind} ${text.decode(path)}`);
    expect(notes).toContain("deleted /srv/golden/d/gone");
  });

  test("restores through a vault that knows nothing but it", async () => {
    await withFolder(async (folder) => {
      expectContinuedTree(`${await restored(folder, [CONTINUED])}/srv/golden`);
    });
  });

  test("restores with the command of its label", async () => {
    await withFolder((folder) => {
      copyFileSync(CONTINUED, `${folder}/b0002.tar.zst`);
      const label = readFileSync(CONTINUED).subarray(0, 2000).toString("latin1");
      const command = /zstd -dc \S+ \| tar --listed.*/.exec(label)?.[0] ?? "false";
      const result = spawnSync("bash", ["-ec", command], { cwd: folder, encoding: "utf8" });
      expect(`${result.status} ${result.stderr}`).toMatch(/^0 (?!.*error)/i);
      expectContinuedTree(`${folder}/srv/golden`);
    });
  });
});

describe("the golden media files of formats 1 and 3", () => {
  for (const golden of [GOLDEN, ENCRYPTED]) {
    test(`${basename(golden)} restores through a vault as what it was made of`, async () => {
      await withFolder(async (folder) => {
        const target = await restored(folder, [golden]);
        for (const { path, content, type = "file" } of sampleMembers()) {
          if (type !== "file" || typeof path !== "string") continue;
          const wanted = Buffer.from(content ?? "");
          expect([path, readFileSync(target + path).equals(wanted)]).toEqual([path, true]);
        }
        expect(statSync(`${target}/srv/docs/first`).nlink).toBe(3);
        expect(readlinkSync(`${target}/srv/sym`)).toBe("a.txt");
        expect(statSync(`${target}/srv/docs`).mode & 0o777).toBe(0o700);
      });
    });
  }
});

/** Restores the last of some media by a vault that finds them. @returns where to */
async function restored(folder: string, golden: readonly string[]): Promise<string> {
  mkdirSync(`${folder}/media`);
  const ids = golden.map((path) => {
    using media = new MediaReader(files, path);
    copyFileSync(path, `${folder}/media/${media.label.backup}.tar.zst`);
    return media.label.backup;
  });
  using vault = openVault(folder);
  expect(vault.recovery.adopted).toEqual(ids);
  using reader = VaultReader.open({ directory: folder, files });
  const plan = reader.planRestore(ids.at(-1) ?? "", []);
  const identityFile = `${folder}/identity.txt`;
  writeFileSync(identityFile, readFileSync(IDENTITY), { mode: 0o600 });
  const opener = new FrameOpener({ files, identityFile, aead: runtime.aead() });
  const fail = (what: string) => {
    throw new Error(what);
  };
  const target = `${folder}/restored`;
  const consumer = new FilesystemRestorer({
    files,
    target,
    overwrite: "refuse",
    redirects: plan.redirects,
    onWarning: ({ message }) => fail(message),
  });
  for (const record of reader.restoreRecords(plan, () => fail("a member is lost"))) {
    consumer.feed(decompressed(await opener.open(record)));
  }
  consumer.finish();
  return target;
}

function expectContinuedTree(tree: string): void {
  const read = (name: string) => readFileSync(`${tree}/${name}`, "utf8");
  const lines = (count: number) => Array.from({ length: count }, (_, at) => `${at}\n`).join("");
  expect(readdirSync(`${tree}/d`).sort()).toEqual(["added", "changes", "stays"]);
  expect([read("d/added"), read("d/changes")]).toEqual(["added", "newer"]);
  expect(read("d/stays")).toBe(lines(700));
  expect(read("large")).toBe(lines(5000));
  expect([read("turns"), read("z")]).toEqual(["a file", "the last one"]);
}

function expectGoldenTree(tree: string): void {
  const read = (name: string) => readFileSync(`${tree}/${name}`, "utf8");
  expect(read("keep/changes")).toBe("newer");
  expect(read("keep/added")).toBe("added");
  expect(read("turns")).toBe("a file now");
  expect(read("sym")).toBe("stays");
  expect(read("large").length).toBe(23_893);
  expect(existsSync(`${tree}/gone`)).toBe(false);
  expect(statSync(`${tree}/keep/file`).nlink).toBe(2);
  expect(statSync(`${tree}/keep`).mtimeMs).toBe(1_700_000_001_500);
}
