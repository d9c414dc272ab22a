// What every implementation of the volume contract (transport/volume.ts) must do. A test file per
// implementation calls `describeVolume` with a way to open handles on one shared medium.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AssertionFailure } from "../../transport/ground/assert.ts";
import type { Volume } from "../../transport/volume.ts";

/** One medium with at least 4 MiB of space whose content the suite may overwrite. */
export interface VolumeMedium {
  /** Opens another handle on the same space; the suite closes it. */
  open(): Promise<Volume>;
  /** Called after each test, after all handles were closed. */
  dispose(): Promise<void>;
}

/** Least size of the medium, bytes. */
export const LEAST_VOLUME_BYTES = 4 * 2 ** 20;

/** Bytes that tell their place: no two blocks look alike. */
export function patternBytes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  let state = seed | 1;
  for (let at = 0; at < count; at++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Cuts a large comparison short: the first difference says more than 256 KiB of numbers. */
export function firstDifference(found: Uint8Array, wanted: Uint8Array): number {
  if (found.length !== wanted.length) return Math.min(found.length, wanted.length);
  for (let at = 0; at < found.length; at++) {
    if (found[at] !== wanted[at]) return at;
  }
  return -1;
}

export function describeVolume(name: string, makeMedium: () => Promise<VolumeMedium>): void {
  describe(`volume contract: ${name}`, () => {
    let medium: VolumeMedium;
    let handles: Volume[] = [];

    beforeEach(async () => {
      medium = await makeMedium();
    });
    afterEach(async () => {
      for (const handle of handles) handle.close();
      handles = [];
      await medium.dispose();
    });

    async function open(): Promise<Volume> {
      const volume = await medium.open();
      handles.push(volume);
      return volume;
    }

    test("volume has a sound size and block", async () => {
      const volume = await open();
      expect(volume.blockBytes).toBeGreaterThanOrEqual(512);
      expect(volume.blockBytes).toBeLessThanOrEqual(4096);
      expect(Math.log2(volume.blockBytes) % 1).toBe(0);
      expect(volume.sizeBytes).toBeGreaterThanOrEqual(LEAST_VOLUME_BYTES);
      expect(volume.sizeBytes % volume.blockBytes).toBe(0);
    });

    test("read() gives what was written, at any block and length", async () => {
      const volume = await open();
      const block = volume.blockBytes;
      const places = [
        [0, block],
        [block, 3 * block],
        [64 * 1024 - block, 2 * block],
        [2 ** 20 - block, 256 * 1024 + block],
        [volume.sizeBytes - block, block],
        [volume.sizeBytes - 2 ** 20, 2 ** 20],
      ] as const;
      for (const [offset, count] of places) {
        const wanted = patternBytes(count, offset + count);
        await volume.write(offset, wanted);
        const found = new Uint8Array(count);
        await volume.read(offset, found);
        expect(firstDifference(found, wanted)).toBe(-1);
      }
    });

    test("write() leaves the neighbours alone", async () => {
      const volume = await open();
      const block = volume.blockBytes;
      const whole = patternBytes(8 * block, 1);
      await volume.write(0, whole);
      const part = patternBytes(2 * block, 2);
      await volume.write(3 * block, part);
      whole.set(part, 3 * block);
      const found = new Uint8Array(whole.length);
      await volume.read(0, found);
      expect(firstDifference(found, whole)).toBe(-1);
    });

    test("read() on another handle sees a write that completed", async () => {
      const [writer, reader] = [await open(), await open()];
      const found = new Uint8Array(writer.blockBytes);
      for (let round = 0; round < 50; round++) {
        const wanted = patternBytes(writer.blockBytes, round);
        const offset = (round % 5) * writer.blockBytes;
        await writer.write(offset, wanted);
        await reader.read(offset, found);
        expect(firstDifference(found, wanted)).toBe(-1);
      }
    });

    test("write() took the bytes when it is complete", async () => {
      const volume = await open();
      const bytes = patternBytes(volume.blockBytes, 3);
      const wanted = bytes.slice();
      await volume.write(0, bytes);
      bytes.fill(0);
      const found = new Uint8Array(volume.blockBytes);
      await volume.read(0, found);
      expect(firstDifference(found, wanted)).toBe(-1);
    });

    test("data outlive their handle", async () => {
      const first = await open();
      const wanted = patternBytes(4 * first.blockBytes, 4);
      await first.write(2 ** 20, wanted);
      first.close();
      const found = new Uint8Array(wanted.length);
      await (await open()).read(2 ** 20, found);
      expect(firstDifference(found, wanted)).toBe(-1);
    });

    test("read() and write() assert alignment and bounds", async () => {
      const volume = await open();
      const block = volume.blockBytes;
      const wrong = [
        [1, block],
        [0, block - 1],
        [-block, block],
        [volume.sizeBytes, block],
        [volume.sizeBytes - block, 2 * block],
      ] as const;
      for (const [offset, count] of wrong) {
        const bytes = new Uint8Array(count);
        expect(await thrownBy(() => volume.read(offset, bytes))).toBeInstanceOf(AssertionFailure);
        expect(await thrownBy(() => volume.write(offset, bytes))).toBeInstanceOf(AssertionFailure);
      }
    });

    test("close() is idempotent, ends the handle, and leaves others open", async () => {
      const [closed, open2] = [await open(), await open()];
      closed.close();
      closed.close();
      const bytes = new Uint8Array(closed.blockBytes);
      expect(await thrownBy(() => closed.read(0, bytes))).not.toBe(null);
      expect(await thrownBy(() => closed.write(0, bytes))).not.toBe(null);
      expect(await thrownBy(() => open2.read(0, bytes))).toBe(null);
    });
  });
}

async function thrownBy(call: () => Promise<void> | undefined): Promise<unknown> {
  try {
    await call();
    return null;
  } catch (error) {
    return error;
  }
}
