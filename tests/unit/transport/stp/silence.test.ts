// A connection whose peer is gone ends also when nothing on the volumes says so: the worker was
// killed, a write that landed late hid its block from the daemon, and the host lives.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readExactly } from "../../../../transport/ground/read_exactly.ts";
import { type Clock, currentRuntime } from "../../../../transport/runtime/mod.ts";
import { viewOf } from "../../../../transport/stp/block_fields.ts";
import {
  ControlBlock,
  controlBlockImage,
  decodeControlBlock,
} from "../../../../transport/stp/control_block.ts";
import { BLOCK_BYTES, SLEEP_MS_MAX } from "../../../../transport/stp/limits.ts";
import type { StpConn } from "../../../../transport/stp/mod.ts";
import { controlBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { StepClock } from "./step_clock.ts";
import { connectPair, failure, type MemoryBed, openMemoryBed } from "./stp_bed.ts";

const { random } = await currentRuntime();
const TIMING = { heartbeatMs: 250, deadMs: 2500, settleMs: 50, watchMs: 250, silentMs: 5000 };

describe("a connection whose peer's use ended unseen", () => {
  let time: StepClock;
  let bed: MemoryBed;
  let kept: StpConn;
  let killed: StpConn;
  beforeEach(async () => {
    time = new StepClock();
    const opening = openMemoryBed({ clock: time, random, timing: TIMING });
    bed = await time.until(opening, 60_000);
    [kept, killed] = await time.until(connectPair(bed), 60_000);
  });
  afterEach(() => time.until(bed.close(), 60_000));

  /** From now on nothing that the killed worker writes lands, and its block is changed. */
  function hide(change: Partial<ControlBlock>): void {
    const { host, endpoint } = killed.ids.local;
    const at = controlBlockOffset(bed.identity.layout, host, endpoint);
    const [memory] = bed.media;
    if (memory === undefined) throw new Error("a bed has a volume");
    memory.losesWrite = (offset) => offset === at;
    const now = memory.bytes.slice(at, at + BLOCK_BYTES);
    const block = new ControlBlock();
    expect(decodeControlBlock(now, viewOf(now), block)).toBe("ok");
    memory.bytes.set(controlBlockImage(Object.assign(block, change)), at);
  }

  async function expectEnd(ms: number, reason: string): Promise<void> {
    const reading = failure(kept.read(new Uint8Array(1)));
    const error = await time.until(reading, ms + 2 * TIMING.watchMs + 100);
    expect(error).toMatchObject({ code: "reset" });
    expect(error.message).toContain(reason);
  }

  const SILENCE = "the peer published nothing for 5000 ms";

  test("ends when the peer's block stays as it was seen last", async () => {
    hide({});
    await expectEnd(TIMING.silentMs, SILENCE);
  });

  test("ends when a block of an earlier use covers the peer's", async () => {
    await time.pass(4 * TIMING.watchMs);
    hide({ self: { ...killed.ids.local, generation: 0 }, kind: "free" });
    await expectEnd(TIMING.silentMs, SILENCE);
  });

  test("ends when the peer was killed before all that it promised was written", async () => {
    hide({ kind: "closing", finSent: true, finFrames: 2, changes: 1000 });
    await expectEnd(TIMING.silentMs, SILENCE);
  });

  test("ends when the host of such a peer leaves", async () => {
    hide({ kind: "closing", finSent: true, finFrames: 2, changes: 1000 });
    await time.until(bed.hosts[1].member.close(), 60_000);
    await expectEnd(0, "left storage transport group");
  });

  test("lives as long as the peer publishes, however idle both are", async () => {
    await time.pass(4 * TIMING.silentMs);
    expect(await kept.isGone()).toBe(false);
    expect(await killed.isGone()).toBe(false);
  });
});

describe("the message that ends a silence", () => {
  const messageBytes = 64;
  /** A process wakes for a timer up to this late. */
  const LATE_MS = 2;

  /** One end answers what it reads, the other has a read under way before it says anything. */
  async function answerMs(time: StepClock, [near, far]: readonly [StpConn, StpConn], ms: number) {
    const message = new Uint8Array(messageBytes).fill(1);
    const answering = readExactly(far, messageBytes).then((bytes) => far.write(bytes));
    const answer = readExactly(near, messageBytes);
    await time.pass(ms);
    const sinceMs = time.monotonicMs();
    await time.until(near.write(message), 1000);
    expect(await time.until(answer, 1000)).toEqual(message);
    await answering;
    return time.monotonicMs() - sinceMs;
  }

  test("has its answer within 50 ms, whenever it comes", async () => {
    const time = new StepClock();
    // Processes count from moments of their own: their sleeps are not in step with each other.
    const peerClock: Clock = {
      monotonicMs: () => time.monotonicMs() + 17,
      wallMs: () => time.wallMs(),
      sleep: (ms, options) => time.sleep(ms, options),
      doze: () => time.doze(),
      yield: () => time.yield(),
    };
    const opening = openMemoryBed({ clock: time, peerClock, random, timing: TIMING });
    const bed = await time.until(opening, 60_000);
    const pair = await time.until(connectPair(bed), 60_000);
    const found: number[] = [];
    for (let extraMs = 0; extraMs < 2 * SLEEP_MS_MAX; extraMs += 7) {
      found.push(await answerMs(time, pair, 10_000 + extraMs));
    }
    expect(Math.max(...found)).toBeLessThanOrEqual(50 - 2 * LATE_MS);
    // And not because both ends hardly sleep.
    expect(Math.max(...found)).toBeGreaterThan(SLEEP_MS_MAX / 2);
    await time.until(bed.close(), 60_000);
  });
});
