// A media file whose writing was cut at any byte: what is taken of it is whole and proved, and the
// file that goes on from there is a finished one like any other.

import {
  copyFileSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "bun:test";
import {
  compressFrame,
  CutMedia,
  encodeIndexRows,
  MediaReader,
  MediaWriter,
} from "../../../../agent/media/mod.ts";
import type { CutPrefixes, MediaPrefix } from "../../../../agent/media/mod.ts";
import type { DataRecord } from "../../../../agent/record.ts";
import { decodeLabel, encodeContinuedLabel, encodeLabel } from "../../../../agent/media/label.ts";
import { decodeSkippable, encodeSkippable } from "../../../../agent/media/skippable_frame.ts";
import { crc32 } from "../../../../transport/ground/crc32.ts";
import {
  files,
  makeArchive,
  makeLabel,
  makeRecords,
  makeResult,
  pattern,
  sampleMembers,
  withFolder,
} from "./media_fixture.ts";

const LABEL = makeLabel();
const NEXT = makeLabel({ backup: "20261123T171500Z-web01-k2x7", startedMs: LABEL.startedMs + 1 });
const archive = makeArchive(sampleMembers());
const records = makeRecords(archive);

/** A file with a group for every `perGroup` records, as failures between them leave it. */
function writeCut(path: string, perGroup: number, count = records.length): void {
  let writer = new MediaWriter({ files, path, label: LABEL });
  for (const [at, record] of records.slice(0, count).entries()) {
    writer.append(record);
    if ((at + 1) % perGroup !== 0) continue;
    writer.keep();
    const whole = prefixesOf(path, ({ open, closed }) => open?.prefix ?? closed);
    if (whole === null || whole.frameCount !== at + 1) return;
    using cut = CutMedia.open(files, path);
    if (cut === null) throw new Error("nobody has the file");
    const goneOn = MediaWriter.goOn({ files, path, label: LABEL }, { cut, prefix: whole });
    if (goneOn === null) throw new Error("the label fits");
    writer = goneOn;
  }
  writer.keep();
}

function prefixesOf<T>(path: string, pick: (prefixes: CutPrefixes) => T): T {
  using cut = CutMedia.open(files, path);
  if (cut === null) throw new Error("nobody has the file");
  const steps = cut.findPrefixes();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return pick(step.value);
  }
}

/** Goes on with the file's prefix to the end of the archive. @returns the tar stream */
function complete(path: string, prefix: MediaPrefix): Uint8Array {
  using cut = CutMedia.open(files, path);
  if (cut === null) throw new Error("nobody has the file");
  const writer = MediaWriter.goOn({ files, path, label: NEXT }, { cut, prefix });
  if (writer === null) throw new Error("the label fits");
  writer.append(restFrom(prefix));
  writer.finish(makeResult(), 1);
  using media = new MediaReader(files, path);
  expect(media.label).toEqual({ ...NEXT, continued: true });
  expect([...media.indexRows()].length).toBe(archive.rows.length);
  return new Uint8Array(execFileSync("zstd", ["-dc", path], { maxBuffer: 2 ** 26 }));
}

/** The rest of the archive as one record. */
function restFrom({ tarBytes, frameCount }: MediaPrefix): DataRecord {
  const rest = archive.tar.slice(tarBytes);
  const rows = archive.rows.filter((row) => row.tarOffset >= tarBytes);
  return {
    sequence: frameCount,
    frame: compressFrame(rest, 1),
    tarBytes: rest.length,
    rows: encodeIndexRows(rows),
    rowCount: rows.length,
    contentBytes: 0,
  };
}

describe("CutMedia", () => {
  test("findPrefixes() takes whole frames at every length of the file", async () => {
    await withFolder((folder) => {
      const [whole, path] = [`${folder}/whole`, `${folder}/cut`];
      writeCut(whole, 2);
      const size = statSync(whole).size;
      const seen = new Set<number>();
      for (let length = encodeLabel(LABEL).length; length <= size; length++) {
        copyFileSync(whole, path);
        truncateSync(path, length);
        const { closed, open } = prefixesOf(path, (prefixes) => prefixes);
        for (const prefix of [closed, open?.prefix ?? null]) {
          if (prefix === null) continue;
          expect(prefix.mediaBytes <= length).toBe(true);
          const sum = prefix.entries.reduce((bytes, entry) => bytes + entry.compressedBytes, 0);
          expect(sum).toBe(prefix.mediaBytes);
          expect(prefix.tarBytes % 4096).toBe(0);
        }
        if (closed !== null) {
          const isEnd = ({ tarOffset, tarBytes }: { tarOffset: number; tarBytes: number }) =>
            tarOffset + tarBytes === closed.tarBytes;
          expect(archive.rows.some(isEnd)).toBe(true);
        }
        seen.add(closed?.frameCount ?? 0).add(open?.prefix.frameCount ?? 0);
      }
      expect(seen.size).toBeGreaterThan(2);
    });
  });

  test("a label that is cut or changed is refused", async () => {
    await withFolder((folder) => {
      const path = `${folder}/cut`;
      for (let length = 0; length < encodeLabel(LABEL).length; length += 41) {
        writeCut(path, 2, 2);
        truncateSync(path, length);
        expect(() => CutMedia.open(files, path)).toThrow("Cannot read media frame");
        unlinkSync(path);
      }
    });
  });

  test("findPrefixes() takes nothing from a changed byte on", async () => {
    await withFolder((folder) => {
      const [whole, path] = [`${folder}/whole`, `${folder}/cut`];
      const count = 4; // In the middle of the large file.
      writeCut(whole, 2, count);
      expect(prefixesOf(whole, ({ open }) => open?.prefix.frameCount)).toBe(count);
      const bytes = readFileSync(whole);
      for (let at = encodeLabel(LABEL).length; at < bytes.length; at += 5) {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        writeFileSync(path, changed);
        const { closed, open } = prefixesOf(path, (prefixes) => prefixes);
        expect((closed?.mediaBytes ?? 0) <= at).toBe(true);
        expect((open?.prefix.mediaBytes ?? 0) <= at).toBe(true);
      }
    });
  });

  test("a file that is gone on with is the whole one, from every place", async () => {
    await withFolder((folder) => {
      for (let count = 1; count < records.length; count++) {
        const path = `${folder}/${count}`;
        writeCut(path, 100, count);
        const { closed, open } = prefixesOf(path, (prefixes) => prefixes);
        for (const [name, prefix] of [["closed", closed], ["open", open?.prefix]] as const) {
          if (prefix === null || prefix === undefined) continue;
          copyFileSync(path, `${path}${name}`);
          expect(complete(`${path}${name}`, prefix)).toEqual(archive.tar);
        }
      }
    });
  });

  test("nothing is gone on with after the end of a stream", async () => {
    await withFolder((folder) => {
      const path = `${folder}/cut`;
      const small = makeArchive([{ path: "/srv/a", content: pattern(100) }]);
      const writer = new MediaWriter({ files, path, label: LABEL });
      for (const record of makeRecords(small)) writer.append(record);
      writer.keep();
      expect(prefixesOf(path, (prefixes) => prefixes)).toEqual({ closed: null, open: null });
    });
  });

  test("a file that is being written is nobody else's", async () => {
    await withFolder((folder) => {
      const path = `${folder}/cut`;
      const writer = new MediaWriter({ files, path, label: LABEL });
      expect(CutMedia.open(files, path)).toBe(null);
      for (const record of records.slice(0, 1)) writer.append(record);
      writer.keep();
      using first = CutMedia.open(files, path);
      expect(first?.label).toEqual(LABEL);
      expect(CutMedia.open(files, path)).toBe(null);
    });
  });

  test("a label of one that goes on fits its place, with a command that replays deletions", () => {
    const incremental = { level: "incremental", needs: ["b1"] } as const;
    for (const fields of [{}, incremental, { exclude: ["*.o", "!keep.o"], ignoreFile: "x" }]) {
      const first = encodeLabel({ ...LABEL, ...fields });
      const label = encodeContinuedLabel({ ...NEXT, ...fields }, first.length);
      expect(label?.length).toBe(first.length);
      const text = new TextDecoder().decode(label ?? undefined);
      expect(text).toContain("| tar --listed-incremental=/dev/null --xattrs");
    }
  });

  test("a label of one that goes on has format 4, which earlier readers refuse", () => {
    const first = encodeLabel(LABEL);
    const label = encodeContinuedLabel(NEXT, first.length) ?? new Uint8Array(0);
    const facts = (bytes: Uint8Array) =>
      /\nformat: (\d)\n/.exec(new TextDecoder().decode(bytes))?.[1];
    expect([facts(first), facts(label)]).toEqual(["2", "4"]);
    expect(decodeLabel(label)).toEqual({ ...NEXT, continued: true });
  });

  test("a label of format 2 that says it goes on, as there were, is read as one", () => {
    const label = encodeContinuedLabel(NEXT, encodeLabel(LABEL).length) ?? new Uint8Array(0);
    const earlier = relabelled(label, "format: 4", "format: 2");
    expect(decodeLabel(earlier)).toEqual({ ...NEXT, continued: true });
  });

  test("decodeLabel() throws damaged when format 4 does not say that it goes on", () => {
    const label = encodeContinuedLabel(NEXT, encodeLabel(LABEL).length) ?? new Uint8Array(0);
    expect(() => decodeLabel(relabelled(label, "continued: yes", "continues: yes")))
      .toThrow('0 lines "continued"');
  });

  test("goOn() leaves the file alone when the label is too long for its place", async () => {
    await withFolder((folder) => {
      const path = `${folder}/cut`;
      writeCut(path, 100, 1);
      const before = readFileSync(path);
      using cut = CutMedia.open(files, path);
      if (cut === null) throw new Error("nobody has the file");
      const prefix = prefixesFrom(cut);
      const label = { ...NEXT, paths: ["/srv", "/another/path/".repeat(20)] };
      expect(MediaWriter.goOn({ files, path, label }, { cut, prefix })).toBe(null);
      expect(readFileSync(path).equals(before)).toBe(true);
    });
  });
});

/** The label with other words of the same length, and the checksum that fits them. */
function relabelled(label: Uint8Array, words: string, others: string): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder().decode(decodeSkippable("label", label)).replace(words, others);
  const body = text.slice(0, text.lastIndexOf("check: "));
  const check = crc32(new TextEncoder().encode(body)).toString(16).padStart(8, "0");
  return encodeSkippable("label", new TextEncoder().encode(`${body}check: ${check}\n`));
}

function prefixesFrom(cut: CutMedia): MediaPrefix {
  const steps = cut.findPrefixes();
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  const prefix = step.value.open?.prefix ?? step.value.closed;
  if (prefix === null) throw new Error("there is something to go on with");
  return prefix;
}
