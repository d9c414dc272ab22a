// How a connection waits: spins, yields, dozes on a crowded machine, sleeps.

import { describe, expect, test } from "bun:test";
import { IdleLadder, inStep } from "../../../../transport/stp/idle_ladder.ts";
import {
  ANSWER_SLEEP_MS_MAX,
  BLIND_POLLS_MAX,
  CROWDED_GAP_MS,
  CROWDED_MS,
  PATIENT_AFTER_MS,
  SLEEP_MS_FIRST,
  SLEEP_MS_MAX,
  SPIN_POLLS_MAX,
  YIELD_MS_MAX,
  YIELD_POLLS_MAX,
} from "../../../../transport/stp/limits.ts";

describe("IdleLadder", () => {
  test("spins, yields, then sleeps up to the cap, also when the clock stands still", () => {
    const ladder = new IdleLadder();
    const steps = Array.from(
      { length: SPIN_POLLS_MAX + YIELD_POLLS_MAX + 10 },
      () => ladder.next(5),
    );
    expect(steps[0]).toBe("spin");
    expect(steps).toContain("yield");
    expect(steps.at(-1)).toBe("sleep");
    expect(ladder.sleepMs).toBe(SLEEP_MS_MAX - 5); // In step with all others.
    ladder.reset();
    expect(ladder.next(6)).toBe("spin");
    expect(ladder.next(6.5)).toBe("yield");
    expect(ladder.next(60)).toBe("sleep");
    expect(ladder.sleepMs).toBe(1);
  });

  test("dozes for a while once somebody else had the processor", () => {
    const ladder = new IdleLadder();
    ladder.next(0);
    expect(ladder.next(0.5)).toBe("yield");
    expect(ladder.next(0.5 + CROWDED_GAP_MS)).toBe("doze");
    ladder.reset();
    expect(ladder.next(50)).toBe("spin");
    expect(ladder.next(50.1)).toBe("yield");
    expect(ladder.next(50.3)).toBe("doze");
    ladder.reset();
    const laterMs = 1000 + CROWDED_MS;
    for (const atMs of [0, 1, 2, 3]) ladder.next(laterMs + atMs);
    // A sleep of our own is no such gap.
    expect(ladder.next(laterMs + 4)).toBe("sleep");
    ladder.next(laterMs + 6);
    ladder.reset();
    ladder.next(laterMs + 7);
    expect(ladder.next(laterMs + 7.5)).toBe("yield");
  });

  test("stays at its foot while others of the thread work, but not for ever", () => {
    const ladder = new IdleLadder();
    expect(ladder.next(0, 1)).toBe("spin");
    expect(ladder.next(1, 2)).toBe("spin"); // They worked for a millisecond: nobody waited.
    expect(ladder.next(3.9, 3)).toBe("spin");
    expect(ladder.next(4, 3)).toBe("yield"); // Now all of the thread wait.
    // A connection that is silent for long goes to sleep beside one that is busy.
    const steps = [8, 9, 10].map((atMs, index) => ladder.next(atMs, 4 + index));
    expect(steps.at(-1)).toBe("sleep");
    ladder.reset();
    expect(ladder.next(20, 9)).toBe("spin");
  });

  test("takes the work of others on its thread for no crowd", () => {
    const ladder = new IdleLadder();
    ladder.next(0, 1);
    ladder.next(0.5, 1);
    expect(ladder.next(0.5 + CROWDED_GAP_MS, 2)).toBe("spin");
    expect(ladder.next(1 + CROWDED_GAP_MS, 2)).toBe("yield");
  });

  test("does not look at the clock at first", () => {
    const ladder = new IdleLadder();
    const blind = Array.from({ length: BLIND_POLLS_MAX + 1 }, () => ladder.blind());
    expect(blind.indexOf(false)).toBe(BLIND_POLLS_MAX);
    expect(ladder.next(0)).toBe("spin");
    ladder.reset();
    expect(ladder.blind()).toBe(true);
    ladder.unhurried();
    expect(ladder.blind()).toBe(false);
    ladder.reset();
    expect(ladder.blind()).toBe(true);
  });

  test("sleeps at once after a long wait, until a sleep made the peer wait", () => {
    const ladder = new IdleLadder();
    const stepsFrom = (beganMs: number): string[] => {
      ladder.reset();
      return [0, 0.5, PATIENT_AFTER_MS].map((ms) => ladder.next(beganMs + ms));
    };
    expect(stepsFrom(0)).toEqual(["spin", "yield", "yield"]);
    ladder.settle(false);
    expect(stepsFrom(10)).toEqual(["spin", "sleep", "sleep"]);
    ladder.settle(true);
    expect(stepsFrom(20)).toEqual(["spin", "yield", "yield"]);
    ladder.settle(true);
    // No wait at all says nothing.
    ladder.reset();
    ladder.settle(false);
    expect(stepsFrom(30)).toEqual(["spin", "yield", "yield"]);
  });

  test("sleeps for short while an answer may come, then as before", () => {
    const ladder = new IdleLadder();
    const sleepAt = (ms: number): number => {
      while (ladder.next(ms) !== "sleep");
      return ladder.sleepMs;
    };
    const sleeps = (fromMs: number) => Array.from({ length: 9 }, (_, i) => sleepAt(fromMs + i));
    expect(Math.max(...sleeps(100))).toBeGreaterThan(SLEEP_MS_MAX / 2);
    ladder.expect(200);
    expect(Math.max(...sleeps(200))).toBe(ANSWER_SLEEP_MS_MAX);
    ladder.reset(); // The answer may be read in a wait that begins later.
    expect(Math.max(...sleeps(220))).toBe(ANSWER_SLEEP_MS_MAX);
    expect(Math.max(...sleeps(200 + 2 * SLEEP_MS_MAX))).toBeGreaterThan(SLEEP_MS_MAX / 2);
  });

  test("outlasts the other end's first sleep, so that two ends do not sleep in turns", () => {
    const ladder = new IdleLadder();
    ladder.next(0);
    expect(["yield", "doze"]).toContain(ladder.next(3 * SLEEP_MS_FIRST));
    expect(YIELD_MS_MAX).toBeGreaterThan(2.5 * SLEEP_MS_FIRST);
  });
});

describe("inStep()", () => {
  test("lets long pauses end together, none longer than asked for but for a timer's error", () => {
    for (const pauseMs of [SLEEP_MS_MAX, 1000]) {
      const ends = [0, 0.3, 7, 20, 43.2].map((startMs) => startMs + inStep(startMs, pauseMs));
      for (const endMs of ends) expect(endMs % SLEEP_MS_MAX).toBeCloseTo(0, 6);
      expect(Math.max(...ends)).toBeLessThanOrEqual(43.2 + pauseMs + SLEEP_MS_FIRST);
    }
    expect(inStep(10, SLEEP_MS_MAX)).toBe(SLEEP_MS_MAX - 10);
    // Fired early: not twice for one step.
    expect(inStep(SLEEP_MS_MAX - 0.4, SLEEP_MS_MAX)).toBeCloseTo(SLEEP_MS_MAX + 0.4, 6);
  });
});
