// Two hosts' clocks as people read of them. Pure.

import { CLOCK_DIFFERENCE_MS } from "./limits.ts";

/** @returns null when the difference matters to nobody, or is not known */
export function clockDifference(clientAheadMs: number | null): string | null {
  if (clientAheadMs === null || Math.abs(clientAheadMs) <= CLOCK_DIFFERENCE_MS) return null;
  const seconds = Math.round(Math.abs(clientAheadMs) / 1000);
  const where = clientAheadMs > 0 ? "ahead of" : "behind";
  return `the client's clock is ${seconds} s ${where} the server's`;
}
