// Header blocks whose checksum is right and whose fields are not, and numbers as others write them.

import { describe, expect, test } from "bun:test";
import { readHeaderBlock, writeHeaderBlock } from "../../../../agent/tar/header_block.ts";

/** A block of a file of 8 bytes with `text` at `offset`, and the checksum of that. */
function blockWith(offset: number, text: string): Uint8Array {
  const block = new Uint8Array(512);
  const name = new TextEncoder().encode("a");
  const numbers = { mode: 0o644, uid: 1, gid: 2, size: 8, mtimeSeconds: 3, major: 0, minor: 0 };
  writeHeaderBlock(block, 0, { name, linkname: new Uint8Array(0), typeflag: "0", ...numbers });
  block.set(new TextEncoder().encode(text), offset);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

describe("readHeaderBlock()", () => {
  const sizes: readonly [string, number][] = [
    ["00000000010\0", 8],
    ["         10 ", 8],
    ["10\0 \0 \0 \0 \0 ", 8],
    ["            ", 0],
    ["777777777777", 0o777777777777],
  ];
  for (const [text, size] of sizes) {
    test(`reads ${JSON.stringify(text)} as ${size}`, () => {
      expect(readHeaderBlock(blockWith(124, text))?.size).toBe(size);
    });
  }
  for (
    const text of ["00000000018\0", "1 2\0\0\0\0\0\0\0\0\0", "-0000000010\0", "\x0000000000010"]
  ) {
    test(`refuses ${JSON.stringify(text)} as a number`, () => {
      expect(() => readHeaderBlock(blockWith(124, text))).toThrow("size that is no number");
    });
  }
  for (let at = 0; at < 5; at++) {
    test(`refuses another byte ${at} of the magic`, () => {
      expect(() => readHeaderBlock(blockWith(257 + at, "X"))).toThrow("another magic");
    });
  }
});
