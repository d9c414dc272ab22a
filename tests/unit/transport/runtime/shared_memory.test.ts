// Shared memory: two mappings of one file are the same memory, and its file shows their stores.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentError, AssertionFailure } from "../../../../transport/ground/mod.ts";
import type { Libc } from "../../../../transport/runtime/libc.ts";
import { LibcFiles } from "../../../../transport/runtime/libc_files.ts";
import type { SharedMemory } from "../../../../transport/runtime/mod.ts";
import { LibcSharedMemories } from "../../../../transport/runtime/shared_memory.ts";
import { openLibc } from "./open_libc.ts";

const SIZE = 64 * 1024;
const ENOMEM = 12;
const libc = await openLibc();
const files = new LibcFiles(libc);

let folder = "";
let path = "";
let one: SharedMemory;
let other: SharedMemory;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memory-"));
  path = join(folder, "board");
  writeFileSync(path, new Uint8Array(SIZE));
  const memories = new LibcSharedMemories(libc, files);
  [one, other] = [memories.map(path, SIZE), memories.map(path, SIZE)];
});

afterEach(() => {
  one.close();
  other.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("SharedMemory", () => {
  test("shows the stores of another mapping and of its file, bytes and words", () => {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      const bytes = Uint8Array.of(1, 2, 3, 4, 5);
      expect(from.sizeBytes).toBe(SIZE);
      from.write(SIZE - 5, bytes);
      expect(new Uint8Array(readFileSync(path).subarray(SIZE - 5))).toEqual(bytes);
      const into = new Uint8Array(5);
      to.read(SIZE - 5, into);
      expect(into).toEqual(bytes);
      for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
        from.store32(4096, value);
        expect(to.load32(4096)).toBe(value);
        expect(from.load32(4096)).toBe(value);
      }
      from.write(8, Uint8Array.of(0x78, 0x56, 0x34, 0x12));
      expect(to.load32(8)).toBe(0x12345678);
    }
  });

  test("refuses accesses outside, unaligned words, and use after close", () => {
    for (const memory of [one, other]) {
      expect(() => memory.read(SIZE - 1, new Uint8Array(2))).toThrow(AssertionFailure);
      expect(() => memory.write(-1, new Uint8Array(1))).toThrow(AssertionFailure);
      expect(() => memory.load32(SIZE)).toThrow(AssertionFailure);
      expect(() => memory.load32(2)).toThrow(AssertionFailure);
      memory.close();
      memory.close();
      expect(() => memory.read(0, new Uint8Array(1))).toThrow(AssertionFailure);
    }
  });

  test("map() throws damaged when the file is too short", () => {
    const memories = new LibcSharedMemories(libc, files);
    expect(() => memories.map(path, SIZE + 1)).toThrow(AgentError);
  });

  test("map() throws when the kernel refuses", () => {
    const refusing: Libc = { ...libc, mapShared: () => null, errno: () => ENOMEM };
    expect(() => new LibcSharedMemories(refusing, files).map(path, SIZE)).toThrow("mmap");
  });
});
