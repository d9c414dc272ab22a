// Restores: which members a plan takes, and that the records sent are exactly those.

import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Catalog } from "../../../../agent/catalog/mod.ts";
import { decompressFrame, type FramePlace, MediaReader } from "../../../../agent/media/mod.ts";
import type { RestoreRecord } from "../../../../agent/record.ts";
import { VaultReader } from "../../../../agent/vault/mod.ts";
import type { RestorePlan } from "../../../../agent/vault/mod.ts";
import { planRestore } from "../../../../agent/vault/restore_plan.ts";
import { cutIntoFrames, type FrameSource } from "../../../../agent/vault/restore_records.ts";
import { Selection } from "../../../../agent/vault/selection.ts";
import {
  bytesOf,
  concatenate,
  files,
  makeArchive,
  sampleMembers,
  withFolder,
} from "../media/media_fixture.ts";
import { codeOf, openVault, publish, unreadableFiles } from "./vault_fixture.ts";

const BLOCK = 512;

/** What the client does with records: the pieces end to end. */
function assemble(records: Iterable<RestoreRecord>): Uint8Array {
  const parts: Uint8Array[] = [];
  let sequence = 0;
  for (const record of records) {
    expect(record.sequence).toBe(sequence++);
    const tar = decompressFrame(record.frame, record.tarBytes);
    expect(record.pieces.length).toBeGreaterThan(0);
    for (const { offset, length } of record.pieces) parts.push(tar.slice(offset, offset + length));
  }
  return concatenate(parts);
}

/** Names of the members of a tar stream, by their own headers. */
function memberNames(tar: Uint8Array): string[] {
  const names: string[] = [];
  const decoder = new TextDecoder();
  for (let at = 0; at < tar.length;) {
    names.push(`/${decoder.decode(tar.subarray(at, at + 100)).replace(/\0.*$/s, "")}`);
    const size = Number.parseInt(decoder.decode(tar.subarray(at + 124, at + 135)), 8);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return names;
}

/** Nothing is damaged. */
function none(path: Uint8Array): never {
  throw new Error(`lost ${new TextDecoder().decode(path)}`);
}

/** Frames of a media file of which some are damaged. */
function sourceOf(places: readonly FramePlace[], damaged: readonly number[] = []) {
  const lost: number[] = [];
  const source: FrameSource = {
    places: () => places,
    read: (_media, sequence) => damaged.includes(sequence) ? null : Uint8Array.of(sequence),
    lose: ({ tarOffset }) => void lost.push(tarOffset),
  };
  return { source, lost };
}

async function withSample(body: (reader: VaultReader) => void): Promise<void> {
  await withFolder((folder) => {
    using _vault = openVault(folder);
    publish(folder, { frameBytes: 1536 });
    using reader = VaultReader.open({ directory: folder, files });
    body(reader);
  });
}

function text({ redirects }: RestorePlan): string[] {
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return redirects.map(({ member, writeAs }) => `${decode(member)} -> ${decode(writeAs)}`);
}

describe("planRestore() and restoreRecords()", () => {
  test("send the whole tar stream without its end when nothing is included", async () => {
    await withSample((reader) => {
      const plan = reader.planRestore("latest", []);
      const { tar } = makeArchive(sampleMembers());
      const sent = assemble(reader.restoreRecords(plan, none));
      expect(Buffer.compare(sent, tar.subarray(0, -2 * BLOCK))).toBe(0);
      expect(plan).toMatchObject({
        redirects: [],
        files: sampleMembers().length,
        bytes: 6 + 20_000 + 11 + 8 + 8,
      });
    });
  });

  test("send a directory's subtree and nothing of its parents", async () => {
    await withSample((reader) => {
      const plan = reader.planRestore("latest", ["/srv/docs"]);
      expect(memberNames(assemble(reader.restoreRecords(plan, none)))).toEqual([
        "/srv/docs",
        "/srv/docs/first",
        "/srv/docs/plan [v1].txt",
      ]);
      expect(plan).toMatchObject({ files: 3, bytes: 19, redirects: [] });
    });
  });

  test("send one object, however its path is written", async () => {
    await withSample((reader) => {
      const name = "/srv/docs/plan [v1].txt";
      for (const glob of [name, "/srv/docs/plan*", "/srv/do?s/plan*", "/srv/{docs,other}/p*"]) {
        const plan = reader.planRestore("latest", [glob]);
        expect(memberNames(assemble(reader.restoreRecords(plan, none)))).toEqual([name]);
        expect(plan.files).toBe(1);
      }
    });
  });

  test("redirect the data of a hard-link set whose first name is not selected", async () => {
    await withSample((reader) => {
      const plan = reader.planRestore("latest", ["/srv/link*"]);
      expect(text(plan)).toEqual(["/srv/docs/first -> /srv/link"]);
      expect(memberNames(assemble(reader.restoreRecords(plan, none)))).toEqual([
        "/srv/docs/first",
        "/srv/link2",
      ]);
      expect(plan).toMatchObject({ files: 2, bytes: 11 });
      const both = reader.planRestore("latest", ["/srv/link", "/srv/docs/first"]);
      expect(text(both)).toEqual([]);
      expect(both.files).toBe(2);
    });
  });

  test("look at the rows of what is named alone, also for its hard links", async () => {
    await withFolder((folder) => {
      using _vault = openVault(folder);
      publish(folder);
      const plans: string[] = [];
      class Watched extends DatabaseSync {
        override prepare(sql: string) {
          if (/\bentries\b/.test(sql)) plans.push(...planOf(sql));
          return super.prepare(sql);
        }
      }
      using plain = new DatabaseSync(`${folder}/catalog.sqlite`);
      const planOf = (sql: string) =>
        plain.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map(({ detail }) => String(detail))
          .filter((detail) => /^(SCAN|SEARCH) e\b/.test(detail));
      using catalog = Catalog.over(new Watched(`${folder}/catalog.sqlite`));
      const backup = catalog.backup("latest");
      const plan = planRestore({
        totals: () => catalog.totals(backup),
        rows: (base) => catalog.rowsWithin(backup, base),
        hardLinks: (base) => catalog.hardLinks(backup, base),
        rowsInTarOrder: (base) => catalog.rowsInTarOrder(backup, base),
      }, ["/srv/a.txt"]);
      expect([...plan.members()].length).toBe(1);
      expect(plans.length).toBeGreaterThan(0);
      const wide = plans.filter((detail) => !detail.includes("generation=? AND directory=?"));
      expect(wide).toEqual([]);
    });
  });

  test("fail with a hint when a glob matches nothing", async () => {
    await withSample((reader) => {
      expect(codeOf(() => reader.planRestore("latest", ["/nothing"]))).toBe("failed");
      expect(codeOf(() => reader.planRestore("latest", ["/srv/a.txt", "/srv/b.txt"])))
        .toBe("failed");
      expect(codeOf(() => reader.planRestore("latest", ["*.txt"]))).toBe("failed");
      expect(codeOf(() => reader.planRestore("other", []))).toBe("not_found");
    });
  });

  test("lose nothing when an index cannot be read, and of a bad frame what lies in it", async () => {
    await withFolder((folder) => {
      using vault = openVault(folder);
      publish(folder, { frameBytes: 1536 });
      const path = `${folder}/${vault.backup("latest").media}`;
      using media = new MediaReader(files, path);
      const [first, last] = [media.frames[0], media.frames.at(-1)];
      const index = (last?.mediaOffset ?? 0) + (last?.compressedBytes ?? 0);
      const lostWith = (from: number) => {
        const through = unreadableFiles({ path, errno: "EIO", from, to: from + 1 });
        using reader = VaultReader.open({ directory: folder, files: through });
        const lost: string[] = [];
        const onLost = (name: Uint8Array) => void lost.push(new TextDecoder().decode(name));
        for (const _ of reader.restoreRecords(reader.planRestore("latest", []), onLost));
        return lost;
      };
      expect(lostWith(index)).toEqual([]);
      expect(lostWith(first?.mediaOffset ?? 0)).toEqual(["/srv", "/srv/a.txt"]);
    });
  });

  test("close their media when the caller stops early", async () => {
    await withSample((reader) => {
      const records = reader.restoreRecords(reader.planRestore("latest", []), none);
      records.next();
      records.return(undefined);
      expect(records.next().done).toBe(true);
    });
  });
});

describe("Selection", () => {
  const cases: readonly [string, string, boolean][] = [
    ["/srv/*.txt", "/srv/a.txt", true],
    ["/srv/*.txt", "/srv/sub/a.txt", false],
    ["/srv/**/*.txt", "/srv/sub/deep/a.txt", true],
    ["/srv", "/srv/any/thing", true],
    ["/srv/", "/srv/any/thing", true],
    ["/", "/any", true],
    ["/srv", "/srvx", false],
    ["/srv/*", "/srv/.hidden", true],
    ["/srv/**", "/srv/a\nb/c", true],
    ["/srv/plan [v1].txt", "/srv/plan [v1].txt", true],
    ["/srv/{a,b}", "/srv/b/c", true],
    ["srv", "/srv", false],
  ];
  for (const [glob, path, wanted] of cases) {
    test(`has() is ${wanted} for ${JSON.stringify(path)} and ${glob}`, () => {
      expect(new Selection([glob]).has(bytesOf(path))).toBe(wanted);
    });
  }

  test("unused() names the globs that matched nothing", () => {
    const selection = new Selection(["/a", "/a/b", "/c"]);
    selection.has(bytesOf("/a/b"));
    expect(selection.unused()).toEqual(["/c"]);
  });
});

describe("cutIntoFrames()", () => {
  const path = bytesOf("/a");

  test("covers every extent exactly once, in order, with merged pieces", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
    const gaps = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 99 })),
    );
    fc.assert(fc.property(sizes, gaps, (frameSizes, spans) => {
      let tarOffset = 0;
      const frames = frameSizes.map((tarBytes) => {
        const place = { mediaOffset: 0, compressedBytes: 1, tarOffset, tarBytes };
        tarOffset += tarBytes;
        return place;
      });
      const extents = [];
      const wanted: number[] = [];
      let at = 0;
      for (const [gap, length] of spans) {
        if (at + gap + length > tarOffset) break;
        extents.push({ path, media: 1, tarOffset: at + gap, tarBytes: length });
        for (let byte = 0; byte < length; byte++) wanted.push(at + gap + byte);
        at += gap + length;
      }
      const found: number[] = [];
      let before = -1;
      for (const cut of cutIntoFrames(extents, sourceOf(frames).source)) {
        if (cut === "lost") throw new Error("nothing is damaged");
        const { sequence, pieces } = cut;
        expect(sequence).toBeGreaterThan(before);
        before = sequence;
        let last = -1;
        for (const { offset, length } of pieces) {
          expect(offset).toBeGreaterThan(last);
          last = offset + length;
          expect(last).toBeLessThanOrEqual(frames[sequence]?.tarBytes ?? 0);
          for (let byte = 0; byte < length; byte++) {
            found.push((frames[sequence]?.tarOffset ?? 0) + offset + byte);
          }
        }
      }
      expect(found).toEqual(wanted);
    }));
  });

  test("fails as damaged for extents outside the media or out of order", () => {
    const frames = [{ mediaOffset: 0, compressedBytes: 1, tarOffset: 0, tarBytes: 100 }];
    const cut = (...extents: [number, number][]) => () => [
      ...cutIntoFrames(
        extents.map(([tarOffset, tarBytes]) => ({ path, media: 1, tarOffset, tarBytes })),
        sourceOf(frames).source,
      ),
    ];
    expect(codeOf(cut([90, 20]))).toBe("damaged");
    expect(codeOf(cut([100, 1]))).toBe("damaged");
    expect(codeOf(cut([50, 10], [40, 5]))).toBe("damaged");
  });

  test("loses the members that lie in a damaged frame and no others", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
    const lengths = fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 20 });
    const damages = fc.array(fc.nat(19), { maxLength: 4 });
    fc.assert(fc.property(sizes, lengths, damages, (frameSizes, memberSizes, damaged) => {
      let tarOffset = 0;
      const frames = frameSizes.map((tarBytes) => {
        const place = { mediaOffset: 0, compressedBytes: 1, tarOffset, tarBytes };
        tarOffset += tarBytes;
        return place;
      });
      let end = 0;
      const members = memberSizes.map((tarBytes) => {
        end += tarBytes;
        return { path, media: 1, tarOffset: end - tarBytes, tarBytes };
      }).filter((member) => member.tarOffset + member.tarBytes <= tarOffset);
      const isLost = (from: number, to: number) =>
        damaged.some((sequence) => {
          const frame = frames[sequence];
          return frame !== undefined && frame.tarOffset < to &&
            from < frame.tarOffset + frame.tarBytes;
        });
      const sound = members.filter((one) => !isLost(one.tarOffset, one.tarOffset + one.tarBytes));
      const { source, lost } = sourceOf(frames, damaged);
      // What a reader of members gets: "lost" takes back what no whole member holds.
      const starts = new Set(members.map((one) => one.tarOffset));
      let kept: number[] = [];
      for (const cut of cutIntoFrames(members, source)) {
        if (cut === "lost") {
          kept = kept.slice(0, kept.findLastIndex((byte) => starts.has(byte)));
          continue;
        }
        const from = frames[cut.sequence]?.tarOffset ?? 0;
        for (const { offset, length } of cut.pieces) {
          for (let byte = 0; byte < length; byte++) kept.push(from + offset + byte);
        }
      }
      const wanted = sound.flatMap((one) =>
        Array.from({ length: one.tarBytes }, (_, byte) => one.tarOffset + byte)
      );
      expect(kept).toEqual(wanted);
      expect(lost.length).toBe(members.length - sound.length);
    }));
  });
});
