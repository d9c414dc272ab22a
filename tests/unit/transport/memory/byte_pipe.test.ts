// BytePipe against a plain list of bytes, by random interleavings of writes and reads.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentError, AssertionFailure } from "../../../../transport/ground/mod.ts";
import { BytePipe } from "../../../../transport/memory/byte_pipe.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";

const HERE = { family: "AF_MEMORY", address: "here", port: 1 } as const;

describe("BytePipe", () => {
  test("gives the bytes in order for any sizes of writes and reads", async () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 20 })));
    await fc.assert(fc.asyncProperty(steps, async (list) => {
      const pipe = new BytePipe(13);
      const model: number[] = [];
      let next = 0;
      for (const [isWrite, size] of list) {
        if (isWrite && model.length < 13) {
          const bytes = Uint8Array.from({ length: size }, () => next++ & 255);
          const count = await pipe.write(bytes, undefined);
          expect(count).toBe(Math.min(size, 13 - model.length));
          model.push(...bytes.subarray(0, count));
          next -= size - count;
        } else if (!isWrite && model.length > 0) {
          const into = new Uint8Array(size);
          const count = await pipe.read(into, undefined);
          expect([...into.subarray(0, count ?? 0)]).toEqual(model.splice(0, count ?? 0));
        }
      }
    }));
  });
});

describe("ConnBase", () => {
  test("asserts that one read and one write are outstanding", async () => {
    const [a, b] = memoryPair(HERE, HERE, { capacityBytes: 1 });
    const reading = a.read(new Uint8Array(1)).catch((e: unknown) => e);
    expect(await a.read(new Uint8Array(1)).catch((e: unknown) => e))
      .toBeInstanceOf(AssertionFailure);
    await b.write(Uint8Array.of(1));
    expect(await reading).toBe(1);
    await a.write(Uint8Array.of(1));
    const writing = a.write(Uint8Array.of(2)).catch((e: unknown) => e);
    expect(await a.write(Uint8Array.of(3)).catch((e: unknown) => e))
      .toBeInstanceOf(AssertionFailure);
    a.abort("the test ends");
    expect(await writing).toBeInstanceOf(AgentError);
  });
});
