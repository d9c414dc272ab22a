// The benchmark's two ends over a pair of connections in memory: what one sends the other counts.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  driveIdle,
  driveStreams,
  driveTrips,
  endBench,
  serveBench,
} from "../../../../agent/bench/mod.ts";
import { encodeOrder, LAST } from "../../../../agent/bench/bench_message.ts";
import { type Conn, currentRuntime } from "../../../../transport/mod.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";

const { clock, process } = await currentRuntime();
const gauges = { clock, cpuSeconds: () => process.cpuSeconds() };

const address = (port: number) => ({ family: "AF_MEMORY", address: "bench", port } as const);
let pairs: (readonly [Conn, Conn])[] = [];

beforeEach(() => {
  pairs = Array.from({ length: 4 }, () => memoryPair(address(1), address(2)));
});

afterEach(() => {
  for (const [near, far] of pairs) {
    near.abort("test over");
    far.abort("test over");
  }
});

function ends(count: number) {
  const near = pairs.slice(0, count).map(([conn]) => conn);
  const served = Promise.all(
    pairs.slice(0, count).map(([, conn]) => serveBench(conn, gauges)),
  );
  return { near, served };
}

describe("driveStreams()", () => {
  test("counts the bytes of the measured time, and the CPU of both ends", async () => {
    const { near, served } = ends(1);
    const figures = await driveStreams(near, gauges, { frameBytes: 65_536, seconds: 0.1 });
    expect(figures.bytes % 65_536).toBe(0);
    expect(figures.bytes).toBeGreaterThan(0);
    expect(figures.seconds).toBeGreaterThan(0);
    expect(figures.bytesPerSecond).toBeCloseTo(figures.bytes / figures.seconds, 3);
    expect(figures.cpuSecondsPerGigabyte).toBeGreaterThan(0);
    expect(figures.smallestShare).toBe(1);
    for (const conn of near) await endBench(conn);
    await served;
  });

  test("streams over several connections at once and tells the smallest share", async () => {
    const { near, served } = ends(4);
    const figures = await driveStreams(near, gauges, { frameBytes: 4096, seconds: 0.1 });
    expect(figures.smallestShare).toBeGreaterThan(0);
    expect(figures.smallestShare).toBeLessThanOrEqual(1);
    for (const conn of near) await endBench(conn);
    await served;
  });

  test("ends with the signal's reason", async () => {
    const { near, served } = ends(1);
    const stop = new AbortController();
    const options = { frameBytes: 4096, seconds: 60, signal: stop.signal };
    const driven = driveStreams(near, gauges, options);
    stop.abort();
    await expect(driven).rejects.toMatchObject({ code: "cancelled" });
    near[0]?.abort("stopped");
    await expect(served).rejects.toMatchObject({ code: "reset" });
  });
});

describe("driveTrips() and driveIdle()", () => {
  test("give a median, a 99th percentile that is not below it, and the first after a silence", async () => {
    const { near, served } = ends(1);
    const [conn] = near;
    if (conn === undefined) throw new Error("a pair has ends");
    const trips = await driveTrips(conn, gauges);
    expect(trips.trips).toBeGreaterThan(100);
    expect(trips.medianUs).toBeGreaterThan(0);
    expect(trips.p99Us).toBeGreaterThanOrEqual(trips.medianUs);
    const idle = await driveIdle(conn, gauges, { idleMs: 50 });
    expect(idle.firstMs).toBeGreaterThan(0);
    expect(idle.cpuPart).toBeGreaterThanOrEqual(0);
    await endBench(conn);
    await served;
  });
});

describe("serveBench()", () => {
  test("refuses what is no order", async () => {
    const { near, served } = ends(1);
    await near[0]?.write(new Uint8Array(16).fill(9));
    await expect(served).rejects.toMatchObject({ code: "reset" });
  });

  test("tells that other bytes arrived than were sent", async () => {
    const { near, served } = ends(1);
    await near[0]?.write(encodeOrder({ kind: "stream", messageBytes: 8, buffers: 1 }));
    await near[0]?.write(Uint8Array.of(LAST, 1, 2, 3, 4, 5, 6, 7));
    await expect(served).rejects.toMatchObject({ code: "damaged" });
  });

  test("ends when the other end closes", async () => {
    const { near, served } = ends(1);
    await near[0]?.close();
    await served;
  });
});
