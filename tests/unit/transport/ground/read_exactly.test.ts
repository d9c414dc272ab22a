// readExactly, readFullOrEnd and writeAll over streams that deal in small parts.

import { describe, expect, test } from "bun:test";
import {
  AgentError,
  readExactly,
  readFullOrEnd,
  writeAll,
} from "../../../../transport/ground/mod.ts";

/** A stream of `bytes` in parts of at most `partBytes`. */
function source(bytes: readonly number[], partBytes: number) {
  let at = 0;
  return {
    read(into: Uint8Array): Promise<number | null> {
      if (at === bytes.length) return Promise.resolve(null);
      const count = Math.min(partBytes, into.length, bytes.length - at);
      into.set(bytes.slice(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
}

describe("readExactly()", () => {
  test("joins parts", async () => {
    const bytes = await readExactly(source([1, 2, 3, 4, 5], 2), 5);
    expect([...bytes]).toEqual([1, 2, 3, 4, 5]);
  });

  test("reads nothing when nothing is wanted", async () => {
    expect((await readExactly(source([], 1), 0)).length).toBe(0);
  });

  test("throws reset when the stream ends early", async () => {
    for (const bytes of [[], [1, 2]]) {
      const thrown: unknown = await readExactly(source(bytes, 2), 3).catch((e: unknown) => e);
      expect(thrown).toBeInstanceOf(AgentError);
      expect((thrown as AgentError).code).toBe("reset");
    }
  });
});

describe("readFullOrEnd()", () => {
  test("returns false at a clean end and throws in the middle", async () => {
    expect(await readFullOrEnd(source([], 2), new Uint8Array(3))).toBe(false);
    expect(await readFullOrEnd(source([1, 2, 3], 2), new Uint8Array(3))).toBe(true);
    const thrown: unknown = await readFullOrEnd(source([1], 2), new Uint8Array(3)).catch((
      e: unknown,
    ) => e);
    expect((thrown as AgentError).code).toBe("reset");
  });
});

describe("writeAll()", () => {
  test("repeats until everything is accepted", async () => {
    const got: number[] = [];
    const sink = {
      write(from: Uint8Array): Promise<number> {
        got.push(...from.subarray(0, 2));
        return Promise.resolve(Math.min(2, from.length));
      },
    };
    await writeAll(sink, Uint8Array.of(1, 2, 3, 4, 5));
    expect(got).toEqual([1, 2, 3, 4, 5]);
  });
});
