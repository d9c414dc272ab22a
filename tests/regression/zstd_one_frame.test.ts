// A compressed frame must be exactly one zstd frame. With the default chunk size Deno's zlib
// appended an empty second frame when the output did not fit one chunk; the vault refused it.

import { describe, expect, test } from "bun:test";
import { compressFrame, compressFrameAside } from "../../agent/media/mod.ts";

const ZSTD_MAGIC = 0xfd2fb528;
/** Magic, header, empty last block, checksum. */
const EMPTY_FRAME_BYTES = 13;

/** Bytes that do not compress (xorshift32). */
function noise(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = 0x9e3779b9;
  for (let at = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

describe("compressFrame()", () => {
  test("compressFrame() ends with its own checksum when the output is longer than a chunk", async () => {
    for (const size of [1, 16_383, 65_536, 200_000, 4 * 1024 * 1024]) {
      const content = noise(size);
      for (const frame of [compressFrame(content, 3), await compressFrameAside(content, 3)]) {
        const tailAt = frame.byteOffset + frame.length - EMPTY_FRAME_BYTES;
        expect(new DataView(frame.buffer, tailAt).getUint32(0, true)).not.toBe(ZSTD_MAGIC);
      }
    }
  });
});
