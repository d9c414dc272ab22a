// zstd frames: header flags, round trip, refusal of bombs and of damage.

import { Buffer } from "node:buffer";
import { describe, expect, test } from "bun:test";
import {
  compressFrame,
  decompressFrame,
  decompressInPieces,
} from "../../../../agent/media/zstd.ts";
import { checkZstdFrame } from "../../../../agent/media/zstd_frame.ts";
import { freeBytes } from "../../../../transport/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { compressFrameAside, decompressFrameAside } from "../../../../agent/media/zstd_aside.ts";

const CHECKSUM_FLAG = 0x04;
const CONTENT_SIZE_FLAGS = 0xe0;

describe("zstd frames", () => {
  test("compressFrame() makes a frame with checksum and content size", () => {
    const frame = compressFrame(new Uint8Array(100_000), 3);
    const descriptor = frame[4] ?? 0;
    expect(descriptor & CHECKSUM_FLAG).toBe(CHECKSUM_FLAG);
    expect(descriptor & CONTENT_SIZE_FLAGS).not.toBe(0);
  });

  test("decompressFrame() gives the content back when the size is right", () => {
    for (const size of [0, 1, 512, 100_000]) {
      const content = new Uint8Array(size).fill(7);
      expect([...decompressFrame(compressFrame(content, 1), size)]).toEqual([...content]);
    }
  });

  test("decompressInPieces() gives the content in order, and what its taker throws", async () => {
    const content = new Uint8Array(1_000_000).map((_, at) => (at * at) >> 7);
    const frame = compressFrame(content, 1);
    const found = new Uint8Array(content.length);
    let count = 0;
    await decompressInPieces(frame, content.length, (piece) => {
      found.set(piece, count);
      count += piece.length;
    });
    expect(Buffer.compare(found, content)).toBe(0);
    const own = new Error("enough");
    const taking = () => {
      throw own;
    };
    await expect(decompressInPieces(frame, content.length, taking)).rejects.toBe(own);
    const flipped = frame.slice();
    flipped[flipped.length - 1] = (flipped[flipped.length - 1] ?? 0) ^ 1;
    const wrong = [[flipped, 1_000_000], [frame, 999_999], [frame, 1_000_001]] as const;
    for (const [bytes, expected] of wrong) {
      await expect(decompressInPieces(bytes, expected, () => {}))
        .rejects.toMatchObject({ code: "damaged" });
    }
  });

  test("decompressFrame() throws damaged when the content is longer or shorter", () => {
    const frame = compressFrame(new Uint8Array(1_000_000), 3);
    expect(() => decompressFrame(frame, 1000)).toThrow("Cannot decompress frame");
    expect(() => decompressFrame(frame, 1_000_001)).toThrow("need 1000001 bytes");
  });

  test("decompressFrame() throws damaged when a bit of the content is flipped", () => {
    const content = new TextEncoder().encode("0123456789abcdefghijklmnopqrstuvwxyz".repeat(3));
    const frame = compressFrame(content, 3).slice();
    frame[frame.length - 1] = (frame[frame.length - 1] ?? 0) ^ 1;
    expect(() => decompressFrame(frame, content.length)).toThrow("Cannot decompress frame");
    expect(() => decompressFrame(frame.subarray(0, 20), content.length)).toThrow("Cannot");
  });

  test("the asynchronous calls do the same, several at once", async () => {
    const contents = [1, 2, 512, 1_000_000].map((size) => new Uint8Array(size).fill(size));
    const frames = await Promise.all(contents.map((content) => compressFrameAside(content, 3)));
    expect(frames).toEqual(contents.map((content) => compressFrame(content, 3)));
    const again = frames.map((frame, at) => decompressFrameAside(frame, contents[at]?.length ?? 0));
    expect((await Promise.all(again)).map((bytes) => [...bytes.subarray(0, 9)])).toEqual(
      contents.map((content) => [...content.subarray(0, 9)]),
    );
    const [, , , large = new Uint8Array()] = frames;
    await expect(decompressFrameAside(large, 1000)).rejects.toThrow("Cannot decompress frame");
    await expect(decompressFrameAside(large, 1_000_001)).rejects.toThrow("need 1000001 bytes");
  });

  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  test(`one after another, of any length, they do the same (seed ${seed})`, async () => {
    const random = new SeededRandom(seed);
    const lengths = Array.from({ length: 40 }, () => 1 + Math.floor(random.next() ** 3 * 2e6));
    for (const length of [1_000_000, ...lengths]) {
      const step = 1 + random.below(5);
      const content = new Uint8Array(length).map((_, at) => (at * at * step) >> 9);
      const frame = await compressFrameAside(content, 1 + (length % 3));
      expect(checkZstdFrame(frame).contentBytes).toBe(length);
      const found = await decompressFrameAside(frame, length);
      expect(Buffer.compare(found, content)).toBe(0);
      // Both are used again for the next ones.
      freeBytes(frame);
      freeBytes(found);
    }
  });

  test("damage is found, whatever it is, and the frames after it are whole", async () => {
    const content = new Uint8Array(500_000).map((_, at) => (at * at) >> 7);
    const frame = Uint8Array.from(compressFrame(content, 3));
    const flipped = frame.slice();
    flipped[flipped.length - 1] = (flipped[flipped.length - 1] ?? 0) ^ 1;
    const body = frame.slice();
    body[frame.length >> 1] = (body[frame.length >> 1] ?? 0) ^ 0xff;
    const twice = Buffer.concat([frame, frame]);
    const bomb = bombOf(content.length, 40_000);
    for (const bad of [flipped, body, frame.subarray(0, -4), frame.subarray(0, 900), twice, bomb]) {
      await expect(decompressFrameAside(bad, content.length))
        .rejects.toMatchObject({ code: "damaged" });
      const found = await decompressFrameAside(frame, content.length);
      expect(Buffer.compare(found, content)).toBe(0);
    }
  });
});

/** A frame that says it has `contentBytes`, and has as many blocks of 128 KiB of zeros. */
function bombOf(contentBytes: number, blocks: number): Uint8Array {
  const head = compressFrame(new Uint8Array(contentBytes), 1).subarray(0, 9);
  const bytes = new Uint8Array(9 + blocks * 4 + 4);
  bytes.set(head);
  for (let block = 0; block < blocks; block++) {
    const last = block === blocks - 1 ? 1 : 0;
    const word = (128 * 1024 << 3) | (1 << 1) | last;
    bytes.set([word & 0xff, (word >> 8) & 0xff, word >> 16, 0], 9 + block * 4);
  }
  return bytes;
}
