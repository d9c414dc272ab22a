// What faults do to data: torn writes and flipped bits. Pure but for the streams of chance.
//
// `records` names the records of a buffer that matter: all of a host's request, the write-pending
// ones of a track that is destaged.

import type { FaultRandom } from "./fault_random.ts";
import { RECORD_BYTES } from "./limits.ts";

const SECTOR_BYTES = 512;
const SECTORS = RECORD_BYTES / SECTOR_BYTES;

/** Numbers of all records in a buffer. */
export function recordsIn(bytes: number): number[] {
  return Array.from({ length: Math.ceil(bytes / RECORD_BYTES) }, (_, record) => record);
}

/**
 * A write of `image` over `current` that landed in part: a prefix in whole sectors, or some of the
 * records. At least one sector does not land.
 */
export function tear(
  image: Uint8Array,
  current: Uint8Array,
  options: { readonly records: readonly number[]; readonly random: FaultRandom },
): Uint8Array {
  const { records, random } = options;
  const torn = current.slice();
  if (records.length > 1 && random.next() < 0.5) {
    const missing = random.below(records.length);
    for (const [index, record] of records.entries()) {
      if (index !== missing && random.next() < 0.5) copy(image, torn, record, SECTORS);
    }
    return torn;
  }
  let sectors = random.below(records.length * SECTORS);
  for (const record of records) {
    copy(image, torn, record, Math.min(sectors, SECTORS));
    sectors = Math.max(0, sectors - SECTORS);
  }
  return torn;
}

/** Turns one bit. */
export function flipBit(
  bytes: Uint8Array,
  options: { readonly records: readonly number[]; readonly random: FaultRandom },
): void {
  const { records, random } = options;
  const record = records[random.below(records.length)] ?? 0;
  const at = record * RECORD_BYTES + random.below(RECORD_BYTES);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
}

function copy(from: Uint8Array, to: Uint8Array, record: number, sectors: number): void {
  const at = record * RECORD_BYTES;
  to.set(from.subarray(at, at + sectors * SECTOR_BYTES), at);
}
