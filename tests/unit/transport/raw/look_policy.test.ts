// When the next look for answers comes.

import { describe, expect, test } from "bun:test";
import { AWAKE_MS, SLEEP_MS_MAX, TURN_MS_MAX } from "../../../../transport/raw/limits.ts";
import { LookPolicy } from "../../../../transport/raw/look_policy.ts";

describe("LookPolicy", () => {
  test("looks again at once while answers come, with turns in between", () => {
    const policy = new LookPolicy(100);
    expect(policy.next(100.1, true)).toEqual({ kind: "nothing" });
    expect(policy.next(100 + TURN_MS_MAX, true)).toEqual({ kind: "turn" });
    policy.turned(100 + TURN_MS_MAX);
    expect(policy.next(100.1 + TURN_MS_MAX, true)).toEqual({ kind: "nothing" });
  });

  test("looks again in vain, with turns as seldom, then sleeps, twice as long each time", () => {
    const policy = new LookPolicy(0);
    expect(policy.next(AWAKE_MS - 0.1, false)).toEqual({ kind: "nothing" });
    const sleeps = Array.from({ length: 6 }, () => policy.next(AWAKE_MS, false));
    expect(sleeps).toEqual([1, 2, 4, 8, 16, 16].map((ms) => ({ kind: "sleep", ms })));
    expect(SLEEP_MS_MAX).toBe(16);
  });

  test("is awake again after a request or an answer", () => {
    const policy = new LookPolicy(0);
    for (let round = 0; round < 5; round++) policy.next(AWAKE_MS + round, false);
    policy.active(100);
    expect(policy.next(100 + AWAKE_MS / 2, false)).toEqual({ kind: "turn" });
    policy.turned(100 + AWAKE_MS / 2);
    expect(policy.next(100 + AWAKE_MS, false)).toEqual({ kind: "sleep", ms: 1 });
  });
});
