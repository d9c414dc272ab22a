// Frames made by streams that are used again: each is one whole frame, the same as one made alone,
// whatever is left of the stream's chunk.

import { describe, expect, test } from "bun:test";
import { FrameCompressor } from "../../../../agent/media/frame_compressor.ts";
import { COMPRESSED_CHUNK_BYTES } from "../../../../agent/media/limits.ts";
import { compressFrame, decompressFrame } from "../../../../agent/media/zstd.ts";
import { checkZstdFrame } from "../../../../agent/media/zstd_frame.ts";
import { equalBytes } from "../../../../transport/ground/equal_bytes.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";

describe("FrameCompressor", () => {
  test("compress() makes the frames of compressFrame(), several at once", async () => {
    using compressor = new FrameCompressor(3);
    const contents = [1, 2, 512, 1_000_000].map((size) => new Uint8Array(size).fill(size));
    for (let round = 0; round < 2; round++) {
      const frames = await Promise.all(contents.map((content) => compressor.compress(content)));
      expect(frames).toEqual(contents.map((content) => compressFrame(content, 3)));
    }
  });

  test("compress() makes one whole frame each time when a stream's chunk runs out", async () => {
    const random = new SeededRandom(7);
    using compressor = new FrameCompressor(1);
    const made: { readonly frame: Uint8Array; readonly content: Uint8Array }[] = [];
    for (let totalBytes = 0; totalBytes < 3 * COMPRESSED_CHUNK_BYTES;) {
      const content = new Uint8Array(1 + random.below(1024 * 1024));
      for (let at = 0; at < content.length; at++) content[at] = random.word();
      const frame = await compressor.compress(content);
      made.push({ frame, content });
      totalBytes += frame.length;
    }
    for (const { frame, content } of made) {
      expect(checkZstdFrame(frame).contentBytes).toBe(content.length);
      expect(equalBytes(decompressFrame(frame, content.length), content)).toBe(true);
    }
  });

  test("close() may come twice, and while a frame is made", async () => {
    const compressor = new FrameCompressor(3);
    const frame = compressor.compress(new Uint8Array(100_000));
    compressor.close();
    compressor.close();
    expect(checkZstdFrame(await frame).contentBytes).toBe(100_000);
  });
});
