// The media format is frozen: the golden file reads as it always did, and the same frames, rows
// and facts make the same bytes again. Media written years ago must stay readable.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";
import { MediaReader, MediaWriter } from "../../../../agent/media/mod.ts";
import { files, makeArchive, sampleMembers, withFolder } from "./media_fixture.ts";

const GOLDEN = fileURLToPath(
  new URL("../../../golden/media/format_1.tar.zst", import.meta.url).href,
);

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

  test("is made again byte by byte from its own frames and rows", async () => {
    await withFolder((folder) => {
      using media = new MediaReader(files, GOLDEN);
      const { number, frames: _f, rows: _r, tarBytes: _t, ...result } = media.trailer;
      const writer = new MediaWriter({ files, path: `${folder}/b`, label: media.label });
      for (let group = 0, sequence = 0; group < media.groupCount; group++) {
        for (const { tarBytes, rows, rowCount } of media.readGroup(group).frames) {
          const frame = media.readFrame(sequence);
          writer.append({ sequence, frame, tarBytes, rows, rowCount, contentBytes: 0 });
          sequence++;
        }
      }
      writer.finish(result, number);
      expect(Buffer.compare(readFileSync(`${folder}/b`), readFileSync(GOLDEN))).toBe(0);
    });
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
