// The shared budget of frames in flight, and connections that share it.

import { afterEach, describe, expect, test } from "bun:test";
import { crc32 } from "../../../../transport/ground/crc32.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { FrameBudget } from "../../../../transport/stp/frame_budget.ts";
import { FRAMES_MIN, SHARE_MS } from "../../../../transport/stp/limits.ts";
import { connectPair, openMemoryBed, readCount, SHORT, writeWhole } from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const LARGE = 256 * 1024;

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

describe("FrameBudget", () => {
  test("gives all to one, and divides over those that send", () => {
    const budget = new FrameBudget(8);
    const shares = Array.from({ length: 8 }, () => budget.join());
    expect(shares[0]?.frames(0)).toBe(8);
    shares[0]?.noteFrame(LARGE, 0);
    expect(shares[0]?.frames(1)).toBe(8);
    shares[1]?.noteFrame(LARGE, 1);
    expect(shares[0]?.frames(1)).toBe(4);
    for (const share of shares) share.noteFrame(LARGE, 2);
    expect(shares[7]?.frames(2)).toBe(FRAMES_MIN);
  });

  test("takes the share of a connection that stopped sending, or left", () => {
    const budget = new FrameBudget(16);
    const [one, two, three] = [budget.join(), budget.join(), budget.join()];
    for (const share of [one, two, three]) share.noteFrame(LARGE, 0);
    expect(one.frames(0)).toBe(5);
    three.leave();
    expect(one.frames(1)).toBe(8);
    one.noteFrame(LARGE, SHARE_MS + 1);
    expect(one.frames(SHARE_MS + 1)).toBe(16);
  });

  test("counts no connection that sends small frames only", () => {
    const budget = new FrameBudget(8);
    const [bulk, control] = [budget.join(), budget.join()];
    bulk.noteFrame(LARGE, 0);
    control.noteFrame(64, 0);
    expect(bulk.frames(0)).toBe(8);
    expect(control.frames(0)).toBe(8);
  });
});

describe("connections of one worker", () => {
  test("have more in flight in a group that was laid out with longer rings", async () => {
    const format = { maxHosts: 2, endpointsPerHost: 2, ringSlots: 24, payloadBytes: LARGE };
    const options = { clock, random, timing: SHORT, format, volumeBytes: 40 * 1024 * 1024 };
    const bed = await openMemoryBed({ ...options, volumeCount: 1 });
    opened.push(bed);
    const [from] = await connectPair(bed);
    // Nobody reads.
    const signal = AbortSignal.timeout(10_000);
    let accepted = 0;
    while (accepted < 24 * LARGE) accepted += await from.write(new Uint8Array(LARGE), { signal });
  });

  for (const asynchronous of [false, true]) {
    test(`each get through, on ${asynchronous ? "" : "a"}synchronous volumes`, async () => {
      const format = { maxHosts: 2, endpointsPerHost: 10, ringSlots: 8, payloadBytes: 64 * 1024 };
      const volumeBytes = 32 * 1024 * 1024;
      const timing = { ...SHORT, healMs: 20_000, deadMs: 20_000 };
      const options = { clock, random, timing, format, asynchronous, volumeBytes };
      const bed = await openMemoryBed({ ...options, volumeCount: 2 });
      opened.push(bed);
      const bytes = random.bytes(64 * 1024 * 40);
      const pairs = [];
      for (let index = 0; index < 8; index++) pairs.push(await connectPair(bed));
      const streams = pairs.map(async ([from, to]) => {
        const [got] = await Promise.all([readCount(to, bytes.length), writeWhole(from, bytes)]);
        expect([got.length, crc32(got)]).toEqual([bytes.length, crc32(bytes)]);
      });
      await Promise.all(streams);
    });
  }
});
