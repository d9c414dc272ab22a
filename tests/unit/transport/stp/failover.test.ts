// A failover of one host's paths, during which nothing of it is answered: what a longer dead time
// is for. On a clock that the test moves.

import { expect, test } from "bun:test";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { stpTiming } from "../../../../transport/stp/mod.ts";
import { DelayedVolume } from "./delayed_volume.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { StepClock } from "./step_clock.ts";
import { connectPair, openStpBed, readCount, writeWhole } from "./stp_bed.ts";

const { random } = await currentRuntime();
/** What a request takes otherwise. */
const DISK_MS = 0.5;
const FAILOVER_MS = 25_000;
const TIMING = stpTiming({ heartbeatMs: 2000, deadMs: 60_000 });

test("a frame that was lost is sent again after a failover of less than half the dead time", async () => {
  const time = new StepClock();
  const medium = new MemoryMedium(16 * 1024 * 1024);
  let upMs = 0;
  const open = (delayOf: () => number) => new DelayedVolume(medium.open("v0"), time, delayOf);
  const volumes = [
    [open(() => DISK_MS)],
    [open(() => Math.max(DISK_MS, upMs - time.monotonicMs()))],
  ] as const;
  const opening = openStpBed({ clock: time, random, volumes, timing: TIMING });
  const bed = await time.until(opening, 10_000);
  const [near, far] = await time.until(connectPair(bed), 10_000);
  const frame = new Uint8Array(64 * 1024).fill(7);
  medium.losesWrite = (_, lengthBytes) => lengthBytes === frame.length;
  await time.until(writeWhole(far, frame), 1000);
  await time.pass(100);
  medium.losesWrite = () => false;
  upMs = time.monotonicMs() + FAILOVER_MS;
  const reading = readCount(near, frame.length);
  expect(await time.until(reading, FAILOVER_MS + 5000)).toEqual(frame);
  expect(time.monotonicMs()).toBeGreaterThanOrEqual(upMs);
  await time.pass(2 * TIMING.deadMs);
  expect(await time.until(near.isGone(), 1000)).toBe(false);
  expect(await time.until(far.isGone(), 1000)).toBe(false);
  await time.until(bed.close(), 120_000);
});
