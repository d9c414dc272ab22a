// Reading small files whole: on real files, and on one that comes in pieces as /proc does.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Files, SystemError } from "../../../../transport/runtime/files.ts";
import { currentRuntime, readSmallFile } from "../../../../transport/runtime/mod.ts";

const { files } = await currentRuntime();
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "small-file-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function make(count: number): { readonly path: string; readonly content: Uint8Array } {
  const path = join(folder, "file");
  const content = Uint8Array.from({ length: count }, (_, index) => index % 251);
  writeFileSync(path, content);
  return { path, content };
}

/** The same files, each read giving at most `count` bytes; counts descriptors that are open. */
function inPieces(count: number): Pick<Files, "open" | "read" | "close"> & { openCount: number } {
  const pieces = {
    openCount: 0,
    open: (...args: Parameters<Files["open"]>) => {
      pieces.openCount += 1;
      return files.open(...args);
    },
    read: (descriptor: number, into: Uint8Array) => {
      return files.read(descriptor, into.subarray(0, Math.min(count, into.length)));
    },
    close: (descriptor: number) => {
      pieces.openCount -= 1;
      files.close(descriptor);
    },
  };
  return pieces;
}

describe("readSmallFile()", () => {
  test("reads files of any size up to the limit whole", () => {
    for (const count of [0, 1, 4095, 4096, 4097, 20_000]) {
      const { path, content } = make(count);
      expect(readSmallFile(files, path, 20_000)).toEqual(content);
    }
  });

  test("returns null for one byte more than the limit", () => {
    for (const limit of [0, 100, 4096, 10_000]) {
      expect(readSmallFile(files, make(limit + 1).path, limit)).toBeNull();
    }
  });

  test("reads on when the kernel gives it in pieces, and closes what it opened", () => {
    const pieces = inPieces(700);
    const { path, content } = make(9000);
    expect(readSmallFile(pieces, path, 10_000)).toEqual(content);
    expect(readSmallFile(pieces, path, 8999)).toBeNull();
    expect(pieces.openCount).toBe(0);
  });

  test("throws what the system says", () => {
    expect(() => readSmallFile(files, join(folder, "none"), 10)).toThrow(SystemError);
    expect(() => readSmallFile(files, folder, 10)).toThrow("EISDIR");
  });
});
