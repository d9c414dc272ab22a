// The one thing the vault knows of tar: whether a 512-byte block is a header, by its checksum
// (POSIX ustar: the sum of all bytes with the checksum field, 148 to 155, counted as spaces). Pure.

export const TAR_BLOCK_BYTES = 512;

const SUM_OFFSET = 148;
const SUM_BYTES = 8;
const SPACE = 0x20;

/** True when the block's checksum field holds the sum of its bytes. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length !== TAR_BLOCK_BYTES) return false;
  let sum = SUM_BYTES * SPACE;
  block.forEach((byte, at) => {
    if (at < SUM_OFFSET || at >= SUM_OFFSET + SUM_BYTES) sum += byte;
  });
  const field = new TextDecoder().decode(block.subarray(SUM_OFFSET, SUM_OFFSET + SUM_BYTES));
  const digits = /^ *([0-7]+)[\0 ]/.exec(field)?.[1];
  return digits !== undefined && Number.parseInt(digits, 8) === sum;
}
