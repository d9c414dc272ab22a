// The window of records that may have to be sent again: always those from the acknowledged one on,
// within its limits, whatever the receiver says.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RecordWindow } from "../../../../agent/job/record_window.ts";
import { AgentError } from "../../../../transport/ground/error.ts";

describe("RecordWindow", () => {
  test("holds the records from the acknowledged one to the last, in order", () => {
    const step = fc.oneof(
      fc.record({ push: fc.nat(50) }),
      fc.record({ acknowledge: fc.nat(60) }),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const window = new RecordWindow<number>({ maxRecords: 8, maxBytes: 100 });
      let [pushed, acknowledged] = [0, 0];
      const sizes: number[] = [];
      for (const step of steps) {
        if ("push" in step) {
          const held = sizes.slice(acknowledged);
          const bytes = held.reduce((sum, one) => sum + one, 0);
          expect(window.isFull).toBe(held.length >= 8 || bytes >= 100);
          if (window.isFull) continue;
          window.push(pushed++, step.push);
          sizes.push(step.push);
        } else if (step.acknowledge > pushed) {
          expect(() => window.acknowledge(step.acknowledge)).toThrow(AgentError);
        } else {
          expect(window.acknowledge(step.acknowledge)).toBe(step.acknowledge > acknowledged);
          acknowledged = Math.max(acknowledged, step.acknowledge);
        }
        expect([window.acknowledged, window.pushed]).toEqual([acknowledged, pushed]);
        const expected = Array.from({ length: pushed - acknowledged }, (_, n) => acknowledged + n);
        expect(window.unacknowledged()).toEqual(expected);
      }
    }));
  });

  test("takes what is larger than its room, and what comes although it is full", () => {
    const window = new RecordWindow<string>({ maxRecords: 8, maxBytes: 100 });
    window.push("large", 1000);
    expect(window.isFull).toBe(true);
    window.push("more", 1);
    window.acknowledge(1);
    expect([window.isFull, window.unacknowledged()]).toEqual([false, ["more"]]);
  });

  test("releases what the receiver has, once, and nothing that another window took", () => {
    const window = new RecordWindow<string>({ maxRecords: 8, maxBytes: 100 });
    const released: string[] = [];
    for (const name of ["a", "b", "c"]) window.push(name, 1, () => released.push(name));
    window.acknowledge(2);
    window.acknowledge(1);
    expect(released).toEqual(["a", "b"]);
    window.clear();
    expect(released).toEqual(["a", "b"]);
  });
});
