// Media files as a whole: written, read back, and read by stock zstd and tar.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import {
  decompressFrame,
  MediaReader,
  MediaWriter,
  newSealedFrame,
} from "../../../../agent/media/mod.ts";
import type { DataRecord } from "../../../../agent/record.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import {
  concatenate,
  files,
  makeArchive,
  makeLabel,
  makeRecords,
  makeResult,
  sampleMembers,
  withFolder,
} from "./media_fixture.ts";

function write(path: string, records: readonly DataRecord[], label = makeLabel()): void {
  const writer = new MediaWriter({ files, path, label });
  for (const record of records) writer.append(record);
  writer.finish(makeResult(), 7);
}

/** The record with its frame dressed as an age file: what it holds is for its reader to check. */
function sealed(record: DataRecord, firstLine = "age-encryption.org/v1\n"): DataRecord {
  const age = concatenate([new TextEncoder().encode(firstLine), record.frame]);
  const { frame, ageFile } = newSealedFrame(age.length);
  ageFile.set(age);
  return { ...record, frame };
}

function cut(record: DataRecord): DataRecord {
  return { ...record, frame: record.frame.subarray(0, -1) };
}

function run(command: string, cwd: string): string {
  const result = spawnSync("sh", ["-c", command], { cwd, encoding: "utf8" });
  expect(`${result.status} ${result.stderr}`).toBe("0 ");
  return result.stdout;
}

describe("MediaWriter and MediaReader", () => {
  test("read() gives label, trailer, rows and frames back when a file was finished", async () => {
    await withFolder((folder) => {
      const archive = makeArchive(sampleMembers());
      const path = `${folder}/b.tar.zst`;
      write(path, makeRecords(archive));
      using media = new MediaReader(files, path);
      expect(media.label).toEqual(makeLabel());
      expect(media.trailer).toEqual({
        ...makeResult(),
        number: 7,
        frames: media.frames.length,
        rows: archive.rows.length,
        tarBytes: archive.tar.length,
      });
      expect([...media.indexRows()]).toEqual([...archive.rows]);
      const frames = media.frames.map(({ tarBytes }, at) =>
        decompressFrame(media.readFrame(at), tarBytes)
      );
      expect(Buffer.compare(concatenate(frames), archive.tar)).toBe(0);
      expect(media.sizeBytes).toBe(statSync(path).size);
    });
  });

  test("read() gives the whole selection of a label back, with its rules in order", async () => {
    await withFolder((folder) => {
      const label = makeLabel({
        exclude: ["*.b", "!a.b", ' x\n"', "*.a"],
        excludeCaches: true,
        oneFileSystem: true,
        excludeLargerThan: 123_456_789_012,
        ignoreFile: ".agentignore",
      });
      write(`${folder}/b`, makeRecords(makeArchive(sampleMembers())), label);
      using media = new MediaReader(files, `${folder}/b`);
      expect(media.label).toEqual(label);
    });
  });

  test("finish() leaves several groups when there are more frames than one holds", async () => {
    await withFolder((folder) => {
      const members = Array.from({ length: 300 }, (_, at) => ({
        path: `/srv/${String(at).padStart(4, "0")}`,
        content: "x".repeat(at),
      }));
      const archive = makeArchive(members);
      write(`${folder}/b`, makeRecords(archive, 1024));
      using media = new MediaReader(files, `${folder}/b`);
      expect(media.frames.length).toBeGreaterThan(200);
      expect(media.groupCount).toBe(Math.ceil(media.frames.length / 64));
      expect([...media.indexRows()]).toEqual([...archive.rows]);
    });
  });

  test("append() sends each whole group to the device, and finish() waits for all", async () => {
    await withFolder((folder) => {
      const begun: [number, number][] = [];
      let syncedAt = -1;
      const noted = new Proxy(files, {
        get(target, key: keyof Files) {
          const call = target[key];
          return (...parameters: unknown[]) => {
            if (key === "startSync") begun.push([Number(parameters[1]), Number(parameters[2])]);
            if (key === "sync") syncedAt = begun.length;
            return Reflect.apply(call as () => unknown, target, parameters);
          };
        },
      });
      const members = Array.from({ length: 300 }, (_, at) => ({ path: `/${at}`, content: "x" }));
      const writer = new MediaWriter({ files: noted, path: `${folder}/b`, label: makeLabel() });
      for (const record of makeRecords(makeArchive(members), 1024)) writer.append(record);
      expect(begun.length).toBeGreaterThan(1);
      writer.finish(makeResult(), 7);
      expect(syncedAt).toBe(begun.length);
      using media = new MediaReader(files, `${folder}/b`);
      expect(begun.length).toBe(media.groupCount);
      const ends = begun.map(([offset, bytes]) => offset + bytes);
      expect(begun.slice(1).map(([offset]) => offset)).toEqual(ends.slice(0, -1));
      expect(begun.reduce((sum, [, bytes]) => sum + bytes, 0)).toBeGreaterThan(media.sizeBytes / 2);
    });
  });

  test("stock zstd and tar test, list and restore the file", async () => {
    await withFolder((folder) => {
      const path = `${folder}/b.tar.zst`;
      write(path, makeRecords(makeArchive(sampleMembers())));
      run("zstd -q -t b.tar.zst", folder);
      const listed = run("zstd -dc b.tar.zst | tar --quoting-style=escape -tf -", folder);
      expect(listed.trim().split("\n").length).toBe(sampleMembers().length);
      const command = /zstd -dc \S+ \| tar .*-xpf -$/m.exec(readFileSync(path, "latin1"))?.[0];
      mkdirSync(`${folder}/out`);
      // The command is the label's own; only the file has another name here.
      run(String(command).replace(/-dc \S+/, "-dc ../b.tar.zst"), `${folder}/out`);
      expect(readFileSync(`${folder}/out/srv/link2`, "utf8")).toBe("shared data");
      expect(statSync(`${folder}/out/srv/big.bin`).size).toBe(20_000);
    });
  });

  test("a medium without any member is finished and read", async () => {
    await withFolder((folder) => {
      write(`${folder}/b`, makeRecords(makeArchive([])));
      using media = new MediaReader(files, `${folder}/b`);
      expect([...media.indexRows()]).toEqual([]);
    });
  });

  test("sync() says what is durable", async () => {
    await withFolder((folder) => {
      const writer = new MediaWriter({ files, path: `${folder}/b`, label: makeLabel() });
      expect(writer.sync()).toBe(-1);
      for (const record of makeRecords(makeArchive(sampleMembers()))) writer.append(record);
      expect(writer.syncedSequence).toBe(-1);
      expect(writer.sync()).toBe(writer.nextSequence - 1);
      writer.abort();
      writer.abort();
      expect(existsSync(`${folder}/b`)).toBe(false);
    });
  });

  test("append() refuses what is not the next whole frame", async () => {
    await withFolder((folder) => {
      const [first, second] = makeRecords(makeArchive(sampleMembers()));
      if (first === undefined || second === undefined) throw new Error("two records");
      const writer = new MediaWriter({ files, path: `${folder}/b`, label: makeLabel() });
      const bad: Partial<DataRecord>[] = [
        { sequence: 1 },
        { tarBytes: first.tarBytes - 1 },
        { tarBytes: 0 },
        { tarBytes: 5 * 1024 * 1024 },
        { frame: first.frame.subarray(0, -1) },
        { frame: concatenate([first.frame, second.frame]) },
        { frame: new Uint8Array(100) },
        { frame: new Uint8Array(0) },
      ];
      for (const fields of bad) {
        expect(() => writer.append({ ...first, ...fields })).toThrow("need");
      }
      writer.append(first);
      expect(() => writer.append(first)).toThrow("sequence 0, need 1");
      writer.abort();
    });
  });

  test("append() takes encrypted frames alone or plain ones alone, and the label says which", async () => {
    await withFolder((folder) => {
      const [first, second, third] = makeRecords(makeArchive(sampleMembers()));
      if (first === undefined || second === undefined || third === undefined) throw new Error("3");
      const open = (name: string) =>
        new MediaWriter({ files, path: `${folder}/${name}`, label: makeLabel() });
      const plain = open("plain");
      plain.append(first);
      expect(() => plain.append(sealed(second))).toThrow("an encrypted frame, need all frames");
      plain.abort();
      const writer = open("encrypted");
      for (const bad of [sealed(first, "age-encryption.org/v2\n"), cut(sealed(first))]) {
        expect(() => writer.append(bad)).toThrow("Cannot read media frame");
      }
      writer.append(sealed(first));
      expect(() => writer.append(second)).toThrow("a plain frame, need all frames");
      writer.append(sealed(second));
      writer.finish(makeResult(), 1);
      using media = new MediaReader(files, `${folder}/encrypted`);
      expect(media.label).toEqual(makeLabel({ encryption: "age" }));
      expect(media.readFrame(1)).toEqual(sealed(second).frame);
      media.checkFrameHeader(0);
      const text = readFileSync(`${folder}/encrypted`, "latin1");
      expect(text).toMatch(
        /^.{8}This is an encrypted backup[^]*\nformat: 3\n[^]*encryption: age\n/,
      );
      run("zstd -q -t encrypted", folder);
    });
  });

  test("checkFrameHeader() finds a frame of an encrypted file that is none", async () => {
    await withFolder((folder) => {
      const path = `${folder}/b`;
      write(path, makeRecords(makeArchive(sampleMembers())).map((record) => sealed(record)));
      const good = readFileSync(path);
      using media = new MediaReader(files, path);
      const at = media.frames[1]?.mediaOffset ?? 0;
      for (const offset of [0, 4, 8, 28]) {
        const bad = Uint8Array.from(good);
        bad[at + offset] = (bad[at + offset] ?? 0) ^ 1;
        writeFileSync(path, bad);
        using damaged = new MediaReader(files, path);
        expect(() => damaged.checkFrameHeader(1)).toThrow("Cannot read media frame");
        expect(() => damaged.readFrame(1)).toThrow("Cannot read media frame");
        damaged.checkFrameHeader(0);
      }
    });
  });

  test("new MediaReader() or its rows fail for any flipped byte around the frames", async () => {
    await withFolder((folder) => {
      const path = `${folder}/b`;
      write(path, makeRecords(makeArchive(sampleMembers())));
      const good = readFileSync(path);
      const inFrames = new Set<number>();
      {
        using media = new MediaReader(files, path);
        for (const { mediaOffset, compressedBytes } of media.frames) {
          for (let at = 0; at < compressedBytes; at++) inFrames.add(mediaOffset + at);
        }
      }
      for (let at = 0; at < good.length; at++) {
        if (inFrames.has(at)) continue;
        const bad = Uint8Array.from(good);
        bad[at] = (bad[at] ?? 0) ^ 0x04;
        writeFileSync(path, bad);
        expect(() => {
          using media = new MediaReader(files, path);
          for (const _row of media.indexRows());
        }).toThrow("Cannot");
      }
    });
  });

  test("new MediaReader() fails as damaged at every shorter length", async () => {
    await withFolder((folder) => {
      const path = `${folder}/b`;
      write(path, makeRecords(makeArchive(sampleMembers().slice(0, 3))));
      const good = readFileSync(path);
      for (let length = 0; length < good.length; length += 7) {
        writeFileSync(path, good.subarray(0, length));
        expect(() => new MediaReader(files, path)).toThrow("Cannot");
      }
    });
  });
});
