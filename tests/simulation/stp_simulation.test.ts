// Seeded runs of storage sockets: five fixed seeds, five fresh ones. A failure names its seed;
// replay it with STP_SEED=<seed>.

import { describe, expect, test } from "bun:test";
import { env } from "node:process";
import { simulateStp } from "./stp_simulation.ts";

const FIXED = [1, 2, 3, 4, 5];

function seeds(): number[] {
  const chosen = env["STP_SEED"];
  if (chosen !== undefined) return [Number(chosen)];
  const fresh = Array.from({ length: 5 }, () => Math.floor(Math.random() * 2 ** 31));
  return [...FIXED, ...fresh];
}

describe("storage sockets, simulated", () => {
  for (const seed of seeds()) {
    test(`keep their rules with seed ${seed}`, { timeout: 120_000 }, async () => {
      const result = await simulateStp(seed);
      expect(result.connections).toBeGreaterThan(0);
      if (result.profile === "soft") expect(result.failures).toBe(0);
    });
  }

  test("give one run for one seed", { timeout: 120_000 }, async () => {
    expect(await simulateStp(1)).toEqual(await simulateStp(1));
  });
});
