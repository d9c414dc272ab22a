// When a peer that died is called dead: whatever heartbeat and dead time the configuration allows,
// here and there, and however far apart the looks at it are. On a clock that the test moves.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { timingOf } from "../../../../agent/stg/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { SLEEP_MS_MAX } from "../../../../transport/stp/limits.ts";
import { LivenessJudge } from "../../../../transport/stp/liveness.ts";
import { connectPair, failure, openMemoryBed } from "./stp_bed.ts";
import { StepClock } from "./step_clock.ts";

const { random } = await currentRuntime();

/** Of a host; both are legal. */
interface Times {
  readonly heartbeatMs: number;
  readonly deadTimeMs: number;
}

describe("LivenessJudge over the times that a configuration allows", () => {
  const block = (heartbeat: number): HostBlock => ({
    hostId: 1,
    stgUuid: "",
    attached: true,
    generation: 1,
    claim: "a",
    heartbeat,
    deadMs: 1000,
    name: "h",
    process: null,
  });

  test("calls a host dead after its dead time, never earlier, and at most five looks later", () => {
    const times = fc.record({
      heartbeatMs: fc.integer({ min: 100, max: 20_000 }),
      moreMs: fc.integer({ min: 0, max: 100_000 }),
      lookPart: fc.double({ min: 0.01, max: 2, noNaN: true }),
      beats: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(fc.property(times, ({ heartbeatMs, moreMs, lookPart, beats }) => {
      const deadMs = 3 * heartbeatMs + moreMs;
      const lookMs = Math.ceil(deadMs * lookPart);
      const lastBeatMs = beats * heartbeatMs;
      const judge = new LivenessJudge({ followsClaims: false });
      let nowMs = 0;
      const look = () => {
        const heartbeat = Math.floor(Math.min(nowMs, lastBeatMs) / heartbeatMs);
        return judge.observe([block(heartbeat)], nowMs, deadMs);
      };
      const latestMs = lastBeatMs + Math.max(deadMs + 2 * lookMs, 5 * lookMs);
      while (look() !== "dead" && nowMs <= latestMs) nowMs += lookMs;
      expect(nowMs - lastBeatMs).toBeGreaterThanOrEqual(deadMs);
      expect(nowMs).toBeLessThanOrEqual(latestMs);
    }));
  });
});

describe("a connection whose peer dies", () => {
  const times = (heartbeatMs: number, deadTimeMs: number): Times => ({ heartbeatMs, deadTimeMs });
  const timing = (own: Times) =>
    timingOf({ name: "stg0", host: 1, array: null, volumes: ["v0"], encrypt: false, ...own });
  const SHORTEST = times(100, 300);
  const SHORT = times(500, 2000);
  const USUAL = times(1000, 10_000);
  const LONG = times(10_000, 60_000);
  const SPARSE = times(20_000, 60_000);
  const pairs: [Times, Times][] = [
    ...[SHORTEST, SHORT, times(500, 1500), times(900, 4000), USUAL, SPARSE]
      .map((own): [Times, Times] => [own, own]),
    [USUAL, SHORTEST],
    [USUAL, SHORT],
    [LONG, SHORTEST],
    [SPARSE, SHORT],
    [SHORTEST, LONG],
    [SHORT, USUAL],
  ];

  for (const [own, peer] of pairs) {
    const named = ({ heartbeatMs, deadTimeMs }: Times) => `${heartbeatMs}/${deadTimeMs} ms`;
    test(`ends in time with ${named(own)} here and ${named(peer)} there`, async () => {
      const time = new StepClock();
      const both = { timing: timing(own), peerTiming: timing(peer) };
      const bed = await time.until(openMemoryBed({ clock: time, random, ...both }), 10_000);
      const [kept] = await time.until(connectPair(bed), 10_000);
      const reading = failure(kept.read(new Uint8Array(1)));
      // The first look tells it the peer's dead time.
      await time.pass(3 * peer.heartbeatMs + both.timing.watchMs);
      bed.paths[1].cut = true;
      const diedMs = time.monotonicMs();
      const error = await time.until(reading, 2 * peer.deadTimeMs + 10_000);
      expect(error.message).toContain(`gave no sign of life for ${peer.deadTimeMs} ms`);
      const endedMs = time.monotonicMs() - diedMs;
      // The last beat was up to a heartbeat ago; each of five looks may be a sleep late.
      expect(endedMs).toBeGreaterThanOrEqual(peer.deadTimeMs - peer.heartbeatMs);
      expect(endedMs).toBeLessThanOrEqual(1.25 * peer.deadTimeMs + 5 * 2 * SLEEP_MS_MAX);
      await time.until(bed.close(), 120_000);
    });
  }
});
