// CRC-32 (IEEE 802.3, as zlib) over header and payload: the checksum of wire and control blocks.

import { crc32 as zlibCrc32 } from "node:zlib";

/** CRC-32 of `bytes`, continuing from `seed` (the CRC of what came before). */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed);
}
