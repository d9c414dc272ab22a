// No decoder of the table crashes, hangs or believes a length, whatever comes: 5 fixed and 5 fresh
// seeds. FUZZ_SEED and FUZZ_RUNS repeat or lengthen a campaign (scripts/soak fuzz).

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { currentRuntime } from "../../../transport/runtime/mod.ts";
import { DECODERS } from "./decoder_table.ts";
import { fileDecoders } from "./file_decoders.ts";
import { fitted, fuzz } from "./fuzz.ts";
import { runtimeDecoders } from "./runtime_decoders.ts";

const { env } = process;
const runtime = await currentRuntime();
/** Files take their time when a campaign is long. */
const TIMEOUT_MS = 3_600_000;
const RUNS = Number(env["FUZZ_RUNS"] ?? 60);
const SEEDS = env["FUZZ_SEED"] === undefined
  ? [1, 2, 3, 4, 5, ...Array.from({ length: 5 }, () => Math.floor(Math.random() * 2 ** 31))]
  : [Number(env["FUZZ_SEED"])];

describe("whatever comes,", () => {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const decoders = [...DECODERS, ...runtimeDecoders(runtime, folder)];
  for (const decoder of decoders) {
    test(`the decoder of ${decoder.name} answers or throws an AgentError`, () => {
      for (const seed of SEEDS) expect(fuzz(decoder, seed, RUNS)).toBe(null);
    }, TIMEOUT_MS);
  }

  test("each decoder takes one of its inputs as they are: what is behind the checks is tried, too", () => {
    const deaf = decoders.filter(({ decode, seeds, length }) =>
      !seeds.some((seed) => {
        try {
          return decode(fitted(seed, length)) !== null;
        } catch {
          return false;
        }
      })
    );
    expect(deaf.map(({ name }) => name)).toEqual([]);
  });

  for (const decoder of fileDecoders(runtime.files, folder)) {
    test(`${decoder.name} answers or throws an AgentError`, () => {
      for (const seed of SEEDS) expect(fuzz(decoder, seed, RUNS)).toBe(null);
    }, TIMEOUT_MS);
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
