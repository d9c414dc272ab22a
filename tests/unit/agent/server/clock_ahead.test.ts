// How far a client's clock is off: what it says lies between two readings of ours, or it is off.

import { expect, test } from "bun:test";
import { clockAheadMs } from "../../../../agent/server/validate_job.ts";

test("clockAheadMs() is what no delay of the answer explains", () => {
  expect(clockAheadMs(undefined, 1000, 1200)).toBe(null);
  // The client tells whole milliseconds.
  for (const theirs of [1000, 1100, 1200]) expect(clockAheadMs(theirs, 1000.7, 1200)).toBe(0);
  expect(clockAheadMs(7200, 1000, 1200)).toBe(6000);
  expect(clockAheadMs(0, 1000, 1200)).toBe(-1000);
});
