// Two ends that answer each other: neither sleeps while the other waits for its answer.

import { afterEach, expect, test } from "bun:test";
import type { Clock } from "../../../../transport/runtime/runtime.ts";
import { connectPair, type MemoryBed, openMemoryBed, readCount, writeWhole } from "./stp_bed.ts";
import { runtime } from "../flow/flow_bed.ts";

const ROUNDS = 100;
const PAUSE_MS = 20;

let bed: MemoryBed | null = null;

afterEach(async () => {
  await bed?.close();
});

test("read() does not go on sleeping in turns after both ends had to wait once", async () => {
  let sleeps = 0;
  const real = runtime.clock;
  const clock: Clock = {
    monotonicMs: () => real.monotonicMs(),
    wallMs: () => real.wallMs(),
    yield: () => real.yield(),
    doze: (ms) => real.doze(ms),
    sleep: (ms, options) => {
      sleeps += 1;
      return real.sleep(ms, options);
    },
  };
  bed = await openMemoryBed({ clock, random: runtime.random });
  const [a, b] = await connectPair(bed);
  const word = new Uint8Array(64);
  const answer = async (pauseMs: number) => {
    await readCount(b, word.length);
    if (pauseMs > 0) await runtime.clock.sleep(pauseMs);
    await writeWhole(b, word);
  };
  const ask = async (pauseMs: number) => {
    if (pauseMs > 0) await runtime.clock.sleep(pauseMs);
    await writeWhole(a, word);
    await readCount(a, word.length);
  };
  // A long wait of each end makes it patient.
  for (const [first, second] of [[PAUSE_MS, 0], [0, PAUSE_MS]] as const) {
    await Promise.all([ask(first), answer(second)]);
  }
  sleeps = 0;
  for (let round = 0; round < ROUNDS; round += 1) await Promise.all([ask(0), answer(0)]);
  expect(sleeps).toBeLessThan(ROUNDS / 4);
  await Promise.all([a.close(), b.close()]);
});
