// withDeadline on a clock that the test moves by hand.

import { describe, expect, test } from "bun:test";
import { AgentError, type Sleeper, withDeadline } from "../../../../transport/ground/mod.ts";

class HandClock implements Sleeper {
  #wake: (() => void) | undefined;
  sleeping = 0;
  sleep(_ms: number, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.sleeping++;
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        this.sleeping--;
        resolve();
      };
      options.signal?.addEventListener("abort", () => {
        this.sleeping--;
        reject(new Error("woken"));
      });
    });
  }
  ring(): void {
    this.#wake?.();
  }
}

async function failure(wait: Promise<unknown>): Promise<AgentError> {
  try {
    await wait;
  } catch (thrown) {
    if (thrown instanceof AgentError) return thrown;
    throw thrown;
  }
  throw new Error("the wait did not fail");
}

describe("withDeadline()", () => {
  test("gives the result and stops its timer", async () => {
    const clock = new HandClock();
    const options = { timeoutMs: 5, action: "wait" };
    expect(await withDeadline(clock, options, () => Promise.resolve(7))).toBe(7);
    expect(clock.sleeping).toBe(0);
  });

  test("throws timeout with what was waited for when the time is up", async () => {
    const clock = new HandClock();
    let seen: AbortSignal | undefined;
    const wait = withDeadline(clock, { timeoutMs: 5, action: 'reach "a:1"' }, (signal) => {
      seen = signal;
      return new Promise(() => {});
    });
    clock.ring();
    const error = await failure(wait);
    expect(error.code).toBe("timeout");
    expect(error.message).toBe('Cannot reach "a:1": nothing came within 5 ms');
    expect(seen?.reason).toBe(error);
  });

  test("throws the caller's reason when its signal fires first", async () => {
    const clock = new HandClock();
    const outer = new AbortController();
    const reason = new AgentError("busy", "Cannot wait: stopped");
    const wait = withDeadline(
      clock,
      { timeoutMs: 5, action: "wait", signal: outer.signal },
      () => new Promise(() => {}),
    );
    outer.abort(reason);
    expect(await failure(wait)).toBe(reason);
    expect(clock.sleeping).toBe(0);
  });

  test("throws cancelled at once when the signal fired before", async () => {
    const options = { timeoutMs: 5, action: "wait", signal: AbortSignal.abort() };
    const error = await failure(
      withDeadline(new HandClock(), options, () => Promise.resolve(1)),
    );
    expect(error.code).toBe("cancelled");
  });
});
