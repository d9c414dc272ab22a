// Direct disk I/O against the real kernel, on a plain file, and the memory that it takes.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AssertionFailure } from "../../../../transport/ground/assert.ts";
import {
  currentRuntime,
  type DirectQueue,
  type DirectRequest,
  SystemError,
} from "../../../../transport/runtime/mod.ts";
import { collectGarbage } from "./collect_garbage.ts";

const runtime = await currentRuntime();
const { directIo } = runtime;
const EINVAL = 22;
const MIB = 1024 * 1024;
const ROUNDS = 20;

describe("DirectIo memory", () => {
  test("allocate() gives zeroed pieces at whole pages that do not overlap", () => {
    const sizes = [0, 1, 512, 4096, 4097, 100_000, 600_000, 3_000_000];
    const pieces = sizes.map((bytes) => directIo.allocate(bytes));
    pieces.forEach((piece, index) => {
      expect(piece.length).toBe(sizes[index] ?? 0);
      expect(piece.every((byte) => byte === 0)).toBe(true);
      expect(directIo.suits(piece, 4096)).toBe(true);
      piece.fill(index + 1);
    });
    pieces.forEach((piece, index) => {
      expect(piece.every((byte) => byte === index + 1)).toBe(true);
    });
  });

  test("suits() knows parts of it, and no other memory", () => {
    const piece = directIo.allocate(8192);
    expect(directIo.suits(piece.subarray(512), 512)).toBe(true);
    expect(directIo.suits(piece.subarray(512), 4096)).toBe(false);
    expect(directIo.suits(piece.subarray(8), 512)).toBe(false);
    expect(directIo.suits(new Uint8Array(4096), 512)).toBe(false);
  });

  test("memory that nothing uses is given back", async () => {
    const before = runtime.process.residentBytes();
    for (let round = 0; round < ROUNDS; round++) {
      for (let piece = 0; piece < 16; piece++) directIo.allocate(MIB).fill(1);
      collectGarbage();
      await runtime.clock.sleep(1); // Finalizers run in a turn of their own.
    }
    expect(runtime.process.residentBytes() - before).toBeLessThan(ROUNDS * 16 * MIB / 2);
  });
});

describe("DirectQueue", () => {
  let folder = "";
  let descriptor = -1;
  let queue: DirectQueue;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "direct-io-test-"));
    const path = join(folder, "file");
    writeFileSync(path, new Uint8Array(65536 + 100).fill(3));
    descriptor = openSync(path, constants.O_RDWR | constants.O_DIRECT);
    queue = directIo.openQueue(4);
  });
  afterAll(() => {
    queue.close();
    queue.close();
    closeSync(descriptor);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Result by token. */
  function perform(...requests: readonly Partial<DirectRequest>[]): Map<number, number> {
    const results = new Map<number, number>();
    requests.forEach((request, token) =>
      queue.submit({
        operation: "read",
        descriptor,
        offsetBytes: 0,
        bytes: directIo.allocate(4096),
        token,
        ...request,
      })
    );
    while (results.size < requests.length) {
      queue.reap(1000, (token, result) => void results.set(token, result));
    }
    return results;
  }

  test("moves the bytes of several requests, and tells how many", () => {
    const bytes = directIo.allocate(8192).fill(9);
    const written = perform({ operation: "write", bytes, offsetBytes: 4096 });
    expect(written.get(0)).toBe(8192);
    const [one, two] = [directIo.allocate(4096), directIo.allocate(4096)];
    const read = perform({ bytes: one }, { bytes: two, offsetBytes: 8192 });
    expect([read.get(0), read.get(1)]).toEqual([4096, 4096]);
    expect([one[0], one[4095], two[0], two[4095]]).toEqual([3, 3, 9, 9]);
  });

  test("tells a read that meets the end of the file, and one that does not fit", () => {
    expect(perform({ offsetBytes: 65536 }).get(0)).toBe(100);
    expect(perform({ offsetBytes: 3 }).get(0)).toBe(-EINVAL);
  });

  test("submit() throws SystemError for a descriptor that is not open", () => {
    const bytes = directIo.allocate(512);
    const wrong = {
      operation: "read",
      descriptor: 99_999,
      offsetBytes: 0,
      bytes,
      token: 0,
    } as const;
    let thrown: unknown = null;
    try {
      queue.submit(wrong);
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof SystemError)) throw new Error(`found ${thrown}, need a SystemError`);
    expect([thrown.errno, thrown.syscall]).toEqual(["EBADF", "io_submit"]);
  });

  test("submit() asserts that the memory is its own", () => {
    const bytes = new Uint8Array(4096);
    expect(() => queue.submit({ operation: "read", descriptor, offsetBytes: 0, bytes, token: 0 }))
      .toThrow(AssertionFailure);
  });

  test("reap() returns at once, or after the wait, when there is nothing", () => {
    expect(queue.reap(0, () => {})).toBe(0);
    expect(queue.reap(50, () => {})).toBe(0);
  });

  test("blockDevice() throws SystemError for a plain file", () => {
    let thrown: unknown = null;
    try {
      directIo.blockDevice(descriptor);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SystemError);
  });
});
