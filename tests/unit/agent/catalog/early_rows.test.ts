// Rows that are taken while a full backup is written: publication with them makes the catalog that
// the import of the media file makes, and whatever does not fit leaves it to that import.

import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "bun:test";
import { Catalog } from "../../../../agent/catalog/mod.ts";
import type { IndexNote, IndexRow } from "../../../../agent/entry.ts";
import {
  compressFrame,
  encodeIndexRows,
  MediaReader,
  MediaWriter,
} from "../../../../agent/media/mod.ts";
import type { DataRecord } from "../../../../agent/record.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { fileEntry, files, makeLabel, makeResult, withFolder } from "../media/media_fixture.ts";
import { seedsOf } from "../vault/random_retention.ts";
import { codeOf } from "../vault/vault_fixture.ts";

const FRAME_BYTES = 64 * 512;
const FRAME = compressFrame(new Uint8Array(FRAME_BYTES), 1);

/** Rows and notes as a walk may give them: some paths again, some void, some not settled. */
function randomRecords(random: SeededRandom): DataRecord[] {
  const paths = Array.from({ length: 30 }, (_, at) => `/d${at % 4}/${at % 3}/file-${at}`);
  const pick = () => paths[random.below(paths.length)] ?? "/";
  return Array.from({ length: 1 + random.below(5) }, (_, sequence) => {
    const rows: IndexRow[] = Array.from({ length: random.below(12) }, (_, at) => ({
      entry: fileEntry(pick(), {
        type: random.below(5) === 0 ? "directory" : "file",
        mtimeNs: BigInt(random.below(1_000_000)) * 1_000_003n,
        inode: BigInt(random.below(1000)),
      }),
      tarOffset: sequence * FRAME_BYTES + at * 512,
      tarBytes: 512,
    }));
    const notes: IndexNote[] = Array.from({ length: random.below(4) }, () => ({
      kind: random.below(2) === 0 ? "deleted" : "unsettled",
      path: new TextEncoder().encode(pick()),
    }));
    return recordOf(sequence, rows, notes);
  });
}

function recordOf(
  sequence: number,
  rows: readonly IndexRow[],
  notes: readonly IndexNote[] = [],
): DataRecord {
  const encoded = encodeIndexRows(rows, notes);
  const sizes = { tarBytes: FRAME_BYTES, contentBytes: 0 };
  return { sequence, frame: FRAME, rows: encoded, rowCount: rows.length, ...sizes };
}

function writeMedia(path: string, records: readonly DataRecord[]): MediaReader {
  const writer = new MediaWriter({ files, path, label: makeLabel({ needs: [] }) });
  for (const record of records) writer.append(record);
  writer.finish(makeResult(), 1);
  return new MediaReader(files, path);
}

/** All tables, in the order of their keys. */
function tablesOf(path: string): unknown {
  using database = new DatabaseSync(path);
  const all = (sql: string) => database.prepare(sql).all().map((row) => ({ ...row }));
  return [
    all("SELECT * FROM sources ORDER BY id"),
    all("SELECT * FROM backups ORDER BY number"),
    all("SELECT * FROM directories ORDER BY id"),
    all("SELECT * FROM entries ORDER BY generation, directory, name, first"),
  ];
}

/** The reader of the same file with another label or index. */
function changed(media: MediaReader, changes: Partial<MediaReader>): MediaReader {
  const { label, trailer, tarBytes, sizeBytes, groupCount } = media;
  const groupPages = (group: number) => media.groupPages(group);
  const fields = { label, trailer, tarBytes, sizeBytes, groupCount, groupPages, ...changes };
  return Object.create(media, Object.getOwnPropertyDescriptors(fields)) as MediaReader;
}

function indexIsRead(): never {
  throw new Error("the index was read");
}

describe("EarlyRows", () => {
  for (const seed of seedsOf()) {
    test(`make the catalog that the import makes, seed ${seed}`, async () => {
      await withFolder((folder) => {
        const random = new SeededRandom(seed);
        const records = randomRecords(random);
        using media = writeMedia(`${folder}/m`, records);
        // The second one finds its directories there already.
        const labels = [media.label, { ...media.label, backup: "second" }];
        {
          using catalog = Catalog.open(`${folder}/early.sqlite`);
          for (const label of labels) {
            using early = catalog.takeEarly();
            for (const record of records) early?.add(record);
            catalog.import(changed(media, { label, groupPages: indexIsRead }), early);
          }
        }
        {
          using catalog = Catalog.open(`${folder}/late.sqlite`);
          for (const label of labels) catalog.import(changed(media, { label }));
        }
        expect(tablesOf(`${folder}/early.sqlite`)).toEqual(tablesOf(`${folder}/late.sqlite`));
      });
    });
  }

  const row = (tarOffset: number, tarBytes = 512): IndexRow => ({
    entry: fileEntry("/a"),
    tarOffset,
    tarBytes,
  });
  const lies: readonly [string, DataRecord][] = [
    ["another count of rows", { ...recordOf(1, [row(FRAME_BYTES)]), rowCount: 2 }],
    ["a member before its frame", recordOf(1, [row(0)])],
    ["a member behind its frame", recordOf(1, [row(2 * FRAME_BYTES)])],
    ["a member beyond the last frame", recordOf(1, [row(FRAME_BYTES, FRAME_BYTES + 512)])],
    ["rows that are cut", { ...recordOf(1, [row(FRAME_BYTES)]), rows: new Uint8Array(30) }],
  ];
  for (const [what, lie] of lies) {
    test(`are void with ${what}, and the import says so`, async () => {
      await withFolder((folder) => {
        const honest = recordOf(0, [row(0)]);
        using media = writeMedia(`${folder}/m`, [honest, lie]);
        using catalog = Catalog.open(`${folder}/catalog.sqlite`);
        using early = catalog.takeEarly();
        for (const record of [honest, lie]) early?.add(record);
        expect(early?.isOf(media)).toBe(false);
        expect(codeOf(() => catalog.import(media, early))).toBe("damaged");
        expect(catalog.backups()).toEqual([]);
      });
    });
  }

  test("of fewer records than the file has are not taken for its own", async () => {
    await withFolder((folder) => {
      const records = [recordOf(0, [row(0)]), recordOf(1, [row(FRAME_BYTES)])];
      using media = writeMedia(`${folder}/m`, records);
      using catalog = Catalog.open(`${folder}/catalog.sqlite`);
      using early = catalog.takeEarly();
      for (const record of records.slice(0, 1)) early?.add(record);
      catalog.import(media, early);
      expect(catalog.backups().length).toBe(1);
      const rows = [...catalog.rowsInTarOrder(catalog.backup("latest"), row(0).entry.path)];
      expect(rows.map(({ tarOffset }) => tarOffset)).toEqual([FRAME_BYTES]);
    });
  });
});
