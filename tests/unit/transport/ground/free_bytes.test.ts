// Buffers that are given back: the large ones at once, what may be shared not at all.

import { Buffer } from "node:buffer";
import { describe, expect, test } from "bun:test";
import { freeBytes } from "../../../../transport/ground/free_bytes.ts";

describe("freeBytes()", () => {
  test("gives a large buffer back, whichever part of it is named, and may be called again", () => {
    const bytes = new Uint8Array(1_000_000);
    const part = bytes.subarray(10, 20);
    freeBytes(part);
    freeBytes(bytes);
    expect([bytes.length, part.length]).toEqual([0, 0]);
  });

  test("leaves short buffers alone: others may have a part of the same", () => {
    const bytes = Buffer.from("a part of the pool of the runtime");
    freeBytes(bytes);
    expect(bytes.toString()).toBe("a part of the pool of the runtime");
  });
});
