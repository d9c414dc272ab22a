// The real clock, of which a test sees the sleeps.

import type { Clock } from "../../transport/runtime/runtime.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";

/** @param sleeps told how long somebody wants to sleep; says how long that takes */
export function clockThat(sleeps: (ms: number) => number): Clock {
  const { clock } = runtime;
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    doze: (ms) => clock.doze(ms),
    yield: () => clock.yield(),
    sleep: (ms, options) => clock.sleep(sleeps(ms), options),
  };
}
