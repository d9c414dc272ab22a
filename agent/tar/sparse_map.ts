// The map of a sparse file, as GNU sparse format 1.0 keeps it: at the start of the member's data,
// decimal numbers, one a line (count of extents, then offset and length of each), padded with NUL
// to a multiple of 512 bytes; the data of the extents follows without gaps.
//
// Invariants: extents ascend, do not overlap, are not empty and lie inside the file; all but the
// last are multiples of 512 bytes, because GNU tar begins each in a block of its own while others
// read them without gaps. The text ends with an empty extent at the file's size, by which GNU tar
// makes a hole at the end of the file.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { MAX_CONTENT_BYTES, MAX_SPARSE_EXTENTS } from "./limits.ts";

export const BLOCK_BYTES = 512;

/** A run of data in a sparse file, in bytes. */
export interface SparseExtent {
  readonly offset: number;
  readonly length: number;
}

export type SparseMap = readonly SparseExtent[];

/** Bytes of data that the map stands for. */
export function sparseDataBytes(map: SparseMap): number {
  return map.reduce((sum, extent) => sum + extent.length, 0);
}

/** The map as it stands at the start of the member's data; a multiple of 512 bytes. */
export function encodeSparseMap(map: SparseMap, realBytes: number): Uint8Array {
  assert(map.length <= MAX_SPARSE_EXTENTS, `${map.length} extents are within the limit`);
  assert(
    map.slice(0, -1).every((extent) => extent.length % BLOCK_BYTES === 0),
    "all extents but the last are whole blocks",
  );
  const lines = [map.length + 1];
  for (const extent of map) lines.push(extent.offset, extent.length);
  lines.push(realBytes, 0);
  const text = new TextEncoder().encode(`${lines.join("\n")}\n`);
  const padded = new Uint8Array(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(text);
  return padded;
}

/**
 * Parses the numbers of a map and checks them against the file's size.
 * @throws AgentError `damaged`
 */
export function parseSparseMap(text: string, realBytes: number): SparseMap {
  const lines = text.split("\n");
  const numbers = lines.slice(0, -1).map((line) => {
    const value = /^\d{1,16}$/.test(line) ? Number(line) : NaN;
    if (!(value <= MAX_CONTENT_BYTES)) throw damagedMap(`"${line}", need a number`);
    return value;
  });
  const [count, ...rest] = numbers;
  if (count === undefined || rest.length !== 2 * count) {
    throw damagedMap(`${rest.length} numbers, need two for each of ${count} extents`);
  }
  const map: SparseExtent[] = [];
  let end = 0;
  for (let index = 0; index < rest.length; index += 2) {
    const offset = rest[index] ?? 0;
    const length = rest[index + 1] ?? 0;
    if (offset < end || offset + length > realBytes) {
      throw damagedMap(`extent ${offset}+${length}, need it within ${end} and ${realBytes}`);
    }
    end = offset + length;
    if (length === 0) continue;
    const before = map.at(-1);
    if (before !== undefined && before.length % BLOCK_BYTES !== 0) {
      throw damagedMap(`extent of ${before.length} bytes before another, need whole blocks`);
    }
    map.push({ offset, length });
  }
  return map;
}

export function damagedMap(found: string): AgentError {
  return new AgentError("damaged", `Cannot read sparse map: found ${found}`, {
    hint: "Run `agent verify` to find the damaged media.",
  });
}
