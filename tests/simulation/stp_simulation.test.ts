// Seeded runs of storage sockets: fixed seeds, each class of faults alone, and fresh seeds. A
// failure names its seed and the command that repeats it; STP_SEED=<seed> runs that one here.

import { describe, expect, test } from "bun:test";
import { env } from "node:process";
import { FAULT_CLASSES, isFaultClass } from "./fault_plan.ts";
import { type SimOptions, simulateStp } from "./stp_simulation.ts";

const FIXED = 20;
const FRESH = 20;
const PER_CLASS = 5;
const BASE = 1000;

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

async function runAll(seeds: readonly number[], options: SimOptions = {}): Promise<number> {
  let delivered = 0;
  for (const seed of seeds) delivered += (await simulateStp(seed, options)).deliveredBytes;
  return delivered;
}

describe("storage sockets, simulated", () => {
  const chosen = env["STP_SEED"];
  if (chosen !== undefined) {
    const only = env["STP_FAULTS"]?.split(",").filter(isFaultClass);
    test(`keep their rules with seed ${chosen}`, { timeout: 120_000 }, async () => {
      await simulateStp(Number(chosen), { only });
    });
    return;
  }

  test("keep their rules with fixed seeds", { timeout: 120_000 }, async () => {
    expect(await runAll(range(1, FIXED))).toBeGreaterThan(0);
  });

  const fresh = Math.floor(Math.random() * 2 ** 31);
  test(`keep their rules with ${FRESH} seeds from ${fresh}`, { timeout: 120_000 }, async () => {
    expect(await runAll(range(fresh, FRESH))).toBeGreaterThan(0);
  });

  for (const fault of FAULT_CLASSES) {
    test(`keep their rules with ${fault} alone`, { timeout: 120_000 }, async () => {
      expect(await runAll(range(BASE, PER_CLASS), { only: [fault] })).toBeGreaterThan(0);
    });
  }

  test("end what a killed worker left also when a late write hides it", async () => {
    await simulateStp(4400705, { only: ["kill_worker", "lost", "duplicate"] });
  });

  test("write no slot after the end that a paused host finds when it goes on", async () => {
    await simulateStp(91001195);
  });

  test("end when all was read, also when a late write hides the end of a peer that died", async () => {
    await simulateStp(1749727005);
  });

  test("write no frame that was gathering when the peer's close ended the connection", async () => {
    await simulateStp(589466542);
  });

  test("survive a stop that ends when the watch over the beats is due", async () => {
    await simulateStp(569445174);
  });

  test("deliver everything when nothing fails", { timeout: 120_000 }, async () => {
    expect(await runAll(range(BASE, PER_CLASS), { only: [] })).toBeGreaterThan(0);
  });

  test("do the same for the same seed, and another for another", { timeout: 120_000 }, async () => {
    const first = await simulateStp(7);
    expect(await simulateStp(7)).toEqual(first);
    expect((await simulateStp(8)).hash).not.toBe(first.hash);
  });
});
