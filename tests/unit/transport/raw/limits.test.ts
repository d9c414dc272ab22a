// Relations between two rooms that do not know each other.

import { expect, test } from "bun:test";
import { IO_TIMEOUT_MS } from "../../../../transport/raw/limits.ts";
import { stpTiming } from "../../../../transport/stp/mod.ts";

const DEAD_MS = [3_000, 10_000, 60_000, 600_000];

test("the quarantine of space outlasts a request to a disk and a dead host together", () => {
  for (const deadMs of DEAD_MS) {
    const { quarantineMs, ioTimeoutMs } = stpTiming({ heartbeatMs: 1000, deadMs });
    expect(quarantineMs).toBeGreaterThanOrEqual(Math.max(IO_TIMEOUT_MS, ioTimeoutMs) + deadMs);
  }
});

test("no wait for the storage is shorter than the dead time", () => {
  for (const deadMs of DEAD_MS) {
    const { ioTimeoutMs, healMs, silentMs } = stpTiming({ heartbeatMs: 1000, deadMs });
    expect(ioTimeoutMs).toBe(Math.max(IO_TIMEOUT_MS, deadMs));
    expect(Math.min(healMs, silentMs)).toBeGreaterThanOrEqual(deadMs);
  }
});
