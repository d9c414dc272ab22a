// Work on other threads is taken in the order in which it was begun.

import { describe, expect, test } from "bun:test";
import { FramesInWork, framesInWork } from "../../../../agent/job/mod.ts";

describe("FramesInWork", () => {
  test("take() gives results in order, whichever is ready first", async () => {
    const inWork = new FramesInWork<string>(2);
    const first = Promise.withResolvers<string>();
    inWork.add(first.promise);
    expect([inWork.isEmpty, inWork.isFull]).toEqual([false, false]);
    inWork.add(Promise.resolve("second"));
    expect(inWork.isFull).toBe(true);
    const taken = inWork.take();
    first.resolve("first");
    expect(await taken).toBe("first");
    expect(await inWork.take()).toBe("second");
    expect(inWork.isEmpty).toBe(true);
  });

  test("take() throws what the work threw, and nobody else hears of it", async () => {
    const inWork = new FramesInWork<string>(2);
    inWork.add(Promise.reject(new Error("damaged")));
    inWork.add(Promise.reject(new Error("never taken")));
    await expect(inWork.take()).rejects.toThrow("damaged");
  });

  test("framesInWork() is one for each processor and one more, up to a limit", () => {
    expect([1, 2, 4].map(framesInWork)).toEqual([2, 3, 5]);
    expect(framesInWork(1000)).toBe(9);
  });
});
