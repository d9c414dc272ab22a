// Numbered messages over a line that loses any suffix of what was sent, again and again: what the
// receiver has is always a prefix of what was pushed, and in the end all of it.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CURSOR_BYTES, CURSOR_RECORDS } from "../../../../agent/job/limits.ts";
import { NumberedMessages } from "../../../../agent/job/numbered_messages.ts";
import { failure } from "../../transport/connect/failure.ts";

/** One direction: what is on its way to the receiver, and acknowledgements on their way back. */
class Line {
  readonly sender = new NumberedMessages<number>();
  readonly receiver = new NumberedMessages<number>();
  readonly came: number[] = [];
  pushed = 0;
  #there: number[] = [];
  #back: number[] = [];

  push(): void {
    this.sender.push(this.pushed, 1);
    this.#there.push(this.pushed++);
  }

  deliver(): void {
    const message = this.#there.shift();
    if (message === undefined) return;
    this.came.push(message);
    if (this.receiver.take(1)) this.#back.push(this.receiver.tell());
  }

  tell(): void {
    this.#back.push(this.receiver.tell());
  }

  acknowledge(): void {
    const count = this.#back.shift();
    if (count !== undefined) this.sender.acknowledge(count);
  }

  /** Everything on its way is lost, both ways. */
  cut(): void {
    this.#back = [];
    this.#there = this.sender.resume(this.receiver.tell());
  }

  get isEmpty(): boolean {
    return this.#there.length === 0 && this.#back.length === 0;
  }
}

describe("NumberedMessages", () => {
  test("gives every message once and in order, whatever is cut", () => {
    const step = fc.constantFrom("push", "deliver", "tell", "acknowledge", "cut");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const line = new Line();
        const check = () => expect(line.came).toEqual(line.came.map((_, number) => number));
        for (const step of steps) {
          line[step]();
          check();
          expect(line.receiver.received).toBe(line.came.length);
        }
        line.cut();
        line.tell();
        while (!line.isEmpty) {
          line.deliver();
          line.acknowledge();
        }
        line.tell();
        line.acknowledge();
        check();
        expect(line.came.length).toBe(line.pushed);
        expect(line.sender.isSettled).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("tells the peer after so many messages, or so many bytes", () => {
    const messages = new NumberedMessages<number>();
    const due = Array.from({ length: CURSOR_RECORDS }, () => messages.take(1));
    expect(due.indexOf(true)).toBe(CURSOR_RECORDS - 1);
    expect(messages.tell()).toBe(CURSOR_RECORDS);
    expect([messages.take(CURSOR_BYTES - 1), messages.take(1)]).toEqual([false, true]);
  });

  test("refuses a peer that has more than was sent, or less than it acknowledged", async () => {
    const messages = new NumberedMessages<number>();
    for (const number of [0, 1, 2]) messages.push(number, 1);
    messages.acknowledge(2);
    for (const count of [4, 1]) {
      expect((await failure(() => messages.resume(count))).code).toBe("damaged");
    }
    expect(messages.resume(2)).toEqual([2]);
  });
});
