// Buffers that are given back: large ones are used again, once each; what may be shared is not.

import { Buffer } from "node:buffer";
import { describe, expect, test } from "bun:test";
import {
  copyBytes,
  freeBytes,
  POOL_BYTES_MAX,
  takeBytes,
} from "../../../../transport/ground/byte_pool.ts";

describe("the pool of bytes", () => {
  test("gives a large buffer out again, whichever part of it was named, and to one at a time", () => {
    const first = takeBytes(1_000_000);
    const { buffer } = first;
    freeBytes(first.subarray(10, 20));
    const second = takeBytes(900_000);
    const third = takeBytes(900_000);
    expect([second.length, second.byteOffset, second.buffer === buffer]).toEqual([
      900_000,
      0,
      true,
    ]);
    expect(third.buffer === buffer).toBe(false);
    freeBytes(second);
    freeBytes(third);
  });

  test("gives no buffer that is too short", () => {
    const short = takeBytes(300_000);
    freeBytes(short);
    const long = takeBytes(5_000_000);
    expect([long.length, long.buffer === short.buffer]).toEqual([5_000_000, false]);
    freeBytes(long);
  });

  test("copies", () => {
    const bytes = new Uint8Array(200_000).map((_, at) => at);
    const copy = copyBytes(bytes);
    expect([Buffer.compare(copy, bytes), copy.buffer === bytes.buffer]).toEqual([0, false]);
    freeBytes(copy);
  });

  test("takes no buffer twice", () => {
    const bytes = takeBytes(400_000);
    freeBytes(bytes);
    expect(() => freeBytes(bytes)).toThrow("given back once");
    takeBytes(400_000);
  });

  test("leaves short buffers alone: others may have a part of the same", () => {
    const bytes = Buffer.from("a part of the pool of the runtime");
    freeBytes(bytes);
    freeBytes(bytes);
    expect(bytes.toString()).toBe("a part of the pool of the runtime");
  });

  test("gives back to the system what goes beyond its bound", () => {
    const held = Array.from({ length: 3 }, () => takeBytes(POOL_BYTES_MAX / 2 - 1));
    for (const bytes of held) freeBytes(bytes);
    expect(held.map(({ length }) => length > 0).filter((kept) => !kept).length).toBeGreaterThan(0);
  });
});
