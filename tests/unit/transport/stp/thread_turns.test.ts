// How the connections of a thread share it.

import { describe, expect, test } from "bun:test";
import type { Clock } from "../../../../transport/runtime/runtime.ts";
import { TURN_MS_MAX } from "../../../../transport/stp/limits.ts";
import { ThreadTurns } from "../../../../transport/stp/thread_turns.ts";

interface Counted {
  readonly turns: ThreadTurns;
  readonly seen: { nowMs: number; yields: number; dozes: number };
}

function counted(): Counted {
  const seen = { nowMs: 0, yields: 0, dozes: 0 };
  const clock: Clock = {
    monotonicMs: () => seen.nowMs,
    wallMs: () => seen.nowMs,
    sleep: () => Promise.resolve(),
    doze: () => void seen.dozes++,
    yield: async () => {
      seen.yields++;
      await Promise.resolve();
    },
  };
  return { turns: new ThreadTurns(clock), seen };
}

describe("ThreadTurns", () => {
  test("due() gives up the thread after TURN_MS_MAX of work", async () => {
    const { turns, seen } = counted();
    expect(turns.due()).toBeUndefined();
    seen.nowMs = TURN_MS_MAX;
    await turns.due();
    expect(seen.yields).toBe(1);
    expect(turns.due()).toBeUndefined();
  });

  test("pass() lets others go on between two polls, when there are others", async () => {
    const { turns, seen } = counted();
    turns.join();
    expect(turns.pass()).toBeUndefined();
    turns.join();
    const order: string[] = [];
    const wait = async (name: string) => {
      for (const poll of [1, 2]) {
        order.push(`${name}${poll}`);
        await turns.pass();
      }
    };
    await Promise.all([wait("a"), wait("b")]);
    expect(order).toEqual(["a1", "b1", "a2", "b2"]);
    expect(seen.yields).toBe(0);
    turns.leave();
    expect(turns.pass()).toBeUndefined();
  });

  test("give() runs the event loop once for all that ask at a time", async () => {
    const { turns, seen } = counted();
    await Promise.all([turns.give(), turns.give(), turns.give()]);
    expect(seen.yields).toBe(1);
    await turns.give();
    expect(seen.yields).toBe(2);
  });

  test("doze() leaves the processor only when all connections wait", async () => {
    const { turns, seen } = counted();
    turns.join();
    turns.join();
    await turns.doze();
    turns.due(); // The other one worked.
    await turns.doze();
    expect(seen.dozes).toBe(0);
    await turns.doze();
    expect(seen.dozes).toBe(1);
  });

  test("rest() dozes alike, and leaves the event loop to the volume", async () => {
    const { turns, seen } = counted();
    turns.join();
    expect(turns.rest()).toBeUndefined();
    turns.join();
    turns.due();
    await turns.rest();
    expect(seen.dozes).toBe(1);
    await turns.rest();
    await turns.rest(true);
    await turns.rest(true);
    expect([seen.dozes, seen.yields]).toEqual([2, 0]);
  });
});
