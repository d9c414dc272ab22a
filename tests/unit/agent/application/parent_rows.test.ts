// Items of a parent's rows: what passes over one reads as far as what decodes it, and refuses what
// that refuses.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeParentItem,
  encodeParentRows,
  type PlacedRow,
  skipParentItem,
} from "../../../../agent/application/filesystem/parent_rows.ts";
import { ByteReader } from "../../../../agent/media/byte_cursor.ts";
import { AgentError } from "../../../../transport/ground/error.ts";

const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
const time = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 19n });
const row: fc.Arbitrary<PlacedRow> = fc.record({
  directory: fc.constantFrom("", "a", "a/b").map((path) => new TextEncoder().encode(path)),
  name: bytes,
  type: fc.constantFrom("file", "directory", "symlink", "hardlink", "fifo", "character", "block"),
  sizeBytes: fc.nat(),
  mtimeNs: time,
  ctimeNs: time,
  inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  target: bytes,
  unsettled: fc.boolean(),
  kept: fc.boolean(),
});

/** Of each item, until the chunk ends or is found damaged: what it is, and how much is left. */
function walk(chunk: Uint8Array, next: (reader: ByteReader) => Uint8Array | null) {
  const reader = new ByteReader(chunk, "rows of the parent");
  const items: unknown[] = [];
  try {
    while (reader.left > 0) {
      const path = next(reader);
      items.push([path, reader.left]);
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    items.push(error.code);
  }
  return items;
}

function decoded(reader: ByteReader): Uint8Array | null {
  const item = decodeParentItem(reader);
  return item.kind === "directory" ? item.path : null;
}

describe("skipParentItem()", () => {
  test("passes over rows and gives the paths of directories, as decodeParentItem() does", () => {
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
      for (const chunk of encodeParentRows(rows)) {
        const items = walk(chunk, skipParentItem);
        expect(items).toEqual(walk(chunk, decoded));
        expect(items.at(-1)).toEqual([null, 0]);
      }
    }));
  });

  test("throws damaged where decodeParentItem() does, in a chunk that was cut or changed", () => {
    const damage = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.boolean() });
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 3 }), damage, (rows, how) => {
      for (const chunk of encodeParentRows(rows)) {
        const at = how.at % chunk.length;
        if (!how.cut) chunk[at] = how.value;
        const damaged = how.cut ? chunk.subarray(0, at) : chunk;
        expect(walk(damaged, skipParentItem)).toEqual(walk(damaged, decoded));
      }
    }));
  });
});
