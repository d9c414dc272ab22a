// No decoder of the table crashes, hangs or believes a length, whatever comes: 5 fixed and 5 fresh
// seeds. FUZZ_SEED and FUZZ_RUNS repeat or lengthen a campaign (scripts/soak fuzz).

import { describe, expect, test } from "bun:test";
import process from "node:process";
import { DECODERS } from "./decoder_table.ts";
import { fuzz } from "./fuzz.ts";

const { env } = process;
const RUNS = Number(env["FUZZ_RUNS"] ?? 60);
const SEEDS = env["FUZZ_SEED"] === undefined
  ? [1, 2, 3, 4, 5, ...Array.from({ length: 5 }, () => Math.floor(Math.random() * 2 ** 31))]
  : [Number(env["FUZZ_SEED"])];

describe("whatever comes,", () => {
  for (const decoder of DECODERS) {
    test(`the decoder of ${decoder.name} answers or throws an AgentError`, () => {
      for (const seed of SEEDS) expect(fuzz(decoder, seed, RUNS)).toBe(null);
    });
  }

  test("the harness finds a crash, and a length that is believed", () => {
    const seeds = [new Uint8Array(8).fill(0xff)];
    const crash = (bytes: Uint8Array) => bytes[1_000_000]?.toString() ?? bytes[9]!.toFixed();
    expect(fuzz({ name: "crash", decode: crash, seeds }, 1, 100)).toContain("TypeError");
    const believes = (bytes: Uint8Array) => {
      if (bytes.length >= 4) return new Uint8Array(new DataView(bytes.buffer).getUint32(0, true));
    };
    expect(fuzz({ name: "believes", decode: believes, seeds }, 1, 100)).toContain("asks for");
  });
});
