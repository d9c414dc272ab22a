// The media format is frozen: the golden file reads as it always did, and the same frames, rows
// and facts make the same bytes again. Media written years ago must stay readable.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";
import { FilesystemRestorer } from "../../../../agent/application/mod.ts";
import { MediaReader, MediaWriter } from "../../../../agent/media/mod.ts";
import { VaultReader } from "../../../../agent/vault/mod.ts";
import { openVault } from "../vault/vault_fixture.ts";
import { files, makeArchive, sampleMembers, withFolder } from "./media_fixture.ts";

const GOLDEN = goldenPath("format_1");
const FULL = goldenPath("format_2_full");
const INCREMENTAL = goldenPath("format_2_incremental");

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

  test("are made again byte by byte from their own frames and rows", async () => {
    await withFolder((folder) => {
      for (const golden of [FULL, INCREMENTAL]) {
        using media = new MediaReader(files, golden);
        const { number, frames: _f, rows: _r, tarBytes: _t, ...result } = media.trailer;
        const path = `${folder}/${media.label.backup}`;
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
    await withFolder((folder) => {
      mkdirSync(`${folder}/media`);
      copyFileSync(FULL, `${folder}/media/b0001.tar.zst`);
      copyFileSync(INCREMENTAL, `${folder}/media/b0002.tar.zst`);
      using vault = openVault(folder);
      expect(vault.recovery.adopted).toEqual(["b0001", "b0002"]);
      using reader = VaultReader.open({ directory: folder, files });
      const plan = reader.planRestore("b0002", []);
      const target = `${folder}/restored`;
      const onWarning = ({ message }: { readonly message: string }) => {
        throw new Error(message);
      };
      const { redirects } = plan;
      const consumer = new FilesystemRestorer({
        files,
        target,
        overwrite: "refuse",
        redirects,
        onWarning,
      });
      for (const record of reader.restoreRecords(plan, () => {})) consumer.feed(record);
      consumer.finish();
      expectGoldenTree(`${target}/srv/golden`);
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
