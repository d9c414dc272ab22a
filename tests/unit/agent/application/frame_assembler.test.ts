// The memory of frames: it stays as it is until the frame is released, and is used again then.

import { describe, expect, test } from "bun:test";
import { FrameAssembler } from "../../../../agent/application/frame_assembler.ts";

const FRAME_BYTES = 8192;

describe("FrameAssembler", () => {
  test("cut() gives memory that later frames leave alone until it is released", () => {
    const frames = new FrameAssembler({ frameBytes: FRAME_BYTES });
    const cut = (value: number) => {
      frames.append(new Uint8Array(512).fill(value));
      return frames.cut();
    };
    const [first, second] = [cut(1), cut(2)];
    expect([first.sequence, second.sequence]).toEqual([0, 1]);
    expect(first.tar).toEqual(new Uint8Array(512).fill(1));
    expect(second.tar).toEqual(new Uint8Array(512).fill(2));
    first.release();
    // The one being filled is the third; the fourth gets what the first had.
    const [third, fourth] = [cut(3), cut(4)];
    expect(third.tar.buffer).not.toBe(second.tar.buffer);
    expect(fourth.tar.buffer).toBe(first.tar.buffer);
    expect(second.tar).toEqual(new Uint8Array(512).fill(2));
  });
});
