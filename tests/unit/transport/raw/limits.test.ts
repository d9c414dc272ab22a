// A relation between two rooms that do not know each other.

import { expect, test } from "bun:test";
import { IO_TIMEOUT_MS } from "../../../../transport/raw/limits.ts";
import { stpTiming } from "../../../../transport/stp/mod.ts";

test("the quarantine of space outlasts a request to a disk and a dead host together", () => {
  for (const deadMs of [3_000, 10_000, 60_000]) {
    const { quarantineMs } = stpTiming({ heartbeatMs: 1000, deadMs });
    expect(quarantineMs).toBeGreaterThanOrEqual(IO_TIMEOUT_MS + deadMs);
  }
});
