// Whose turn it is: by examples, and as invariants of a whole day of submissions and ends.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sourceOfRequest } from "../../../../agent/job/mod.ts";
import { nextTurn, type RunningTurn } from "../../../../agent/job/queue_policy.ts";
import type { JobRequest } from "../../../../agent/control/daemon.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { failure } from "../../transport/connect/failure.ts";

const own = (source: string | null): RunningTurn => ({ source, own: true });
const peer: RunningTurn = { source: null, own: false };

function pick(waiting: string, running: readonly RunningTurn[], maxRunning = 2): string | null {
  const turns = [...waiting].map((source) => ({ source }));
  return nextTurn(turns, { running, maxRunning })?.source ?? null;
}

describe("nextTurn()", () => {
  test("takes the first in order, and none when as many run as may", () => {
    expect(pick("ab", [])).toBe("a");
    expect(pick("ab", [own("x")])).toBe("a");
    expect(pick("ab", [own("x"), own(null)])).toBe(null);
    expect(pick("", [])).toBe(null);
  });

  test("passes over a source that runs, which keeps its place", () => {
    expect(pick("aab", [own("a")])).toBe("b");
    expect(pick("aa", [own("a")])).toBe(null);
    const nothing = [{ source: null }];
    expect(nextTurn(nothing, { running: [own(null)], maxRunning: 2 })).toBe(nothing[0] ?? null);
  });

  test("does not count what peers started", () => {
    expect(pick("a", [peer, peer, own("x")])).toBe("a");
  });

  test("never runs too many or a source twice, keeps the order of a source, starves nobody", () => {
    const event = fc.oneof(
      fc.record({ type: fc.constant("submit" as const), source: fc.constantFrom("a", "b", "c") }),
      fc.record({ type: fc.constant("end" as const), at: fc.nat(8) }),
    );
    const check = fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (
      events,
      maxRunning,
    ) => {
      type Numbered = { readonly source: string; readonly number: number };
      let waiting: Numbered[] = [];
      const running: (Numbered & RunningTurn)[] = [];
      const begun: Numbered[] = [];
      const settle = () => {
        for (;;) {
          const next = nextTurn(waiting, { running, maxRunning });
          if (next === null) break;
          waiting = waiting.filter((turn) => turn !== next);
          running.push({ ...next, own: true });
          begun.push(next);
        }
        expect(running.length).toBeLessThanOrEqual(maxRunning);
        expect(new Set(running.map(({ source }) => source)).size).toBe(running.length);
      };
      for (const [number, one] of events.entries()) {
        if (one.type === "submit") waiting.push({ source: one.source, number });
        else if (running.length > 0) running.splice(one.at % running.length, 1);
        settle();
      }
      while (running.length > 0) {
        running.shift();
        settle();
      }
      expect(waiting).toEqual([]);
      for (const source of ["a", "b", "c"]) {
        const order = begun.filter((turn) => turn.source === source).map(({ number }) => number);
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
    });
    fc.assert(check, { numRuns: 200 });
  });
});

describe("sourceOfRequest()", () => {
  const backup = (change: Partial<Extract<JobRequest, { kind: "backup-filesystem" }>> = {}) =>
    ({
      kind: "backup-filesystem",
      client: "web01",
      paths: ["/srv", "/etc"],
      full: false,
      ...EVERYTHING,
      exclude: ["/srv/tmp", "*.o"],
      ...change,
    }) as const;
  const same = backup({ paths: ["/etc/", "/srv", "/srv/www"], exclude: ["*.o", "/srv/tmp"] });

  test("is the same however paths and excludes are written, and another otherwise", () => {
    expect(sourceOfRequest(same)).toBe(sourceOfRequest(backup()));
    const others = [{ client: "db01" }, { paths: ["/srv"] }, { exclude: [] }, {
      oneFileSystem: true,
    }];
    for (const change of others) {
      expect(sourceOfRequest(backup(change))).not.toBe(sourceOfRequest(backup()));
    }
    expect(sourceOfRequest({ kind: "expire", dryRun: false })).toBe(null);
    const database = (name: string) => sourceOfRequest({ kind: "backup-database", database: name });
    expect(database("app")).toBe(database("app"));
    expect(database("app")).not.toBe(database("web01"));
  });

  test("throws usage for paths that no backup can be of", async () => {
    expect((await failure(() => sourceOfRequest(backup({ paths: ["srv"] })))).code).toBe("usage");
  });
});
