// Full or incremental: what was asked for, what there is, and how often the configuration wants a
// full backup.

import { describe, expect, test } from "bun:test";
import { chooseParent, type LevelQuestion } from "../../../../agent/vault/level_policy.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse("2026-03-31T02:30:00Z");

interface Backup {
  readonly name: string;
}

/** A chain of backups of so many days ago, the full one first. */
function parentOf(daysAgo: readonly number[], question: Partial<LevelQuestion<Backup>>) {
  const chain = daysAgo.map((days) => ({
    name: `${days} days`,
    time: new Date(NOW_MS - days * DAY_MS).toISOString(),
  }));
  const asked = { full: false, fullEvery: null, nowMs: NOW_MS, ...question };
  return chooseParent<Backup>({ ...asked, chain })?.name ?? null;
}

describe("chooseParent()", () => {
  test("is the latest backup for ever when nothing wants a full one", () => {
    expect(parentOf([4000, 3, 2, 1], {})).toBe("1 days");
  });

  test("is none for the first backup, and when a full one is asked for", () => {
    expect(parentOf([], {})).toBe(null);
    expect(parentOf([1], { full: true })).toBe(null);
  });

  test("is none when the full backup of the chain is as old as full_every says", () => {
    const fullEvery = { kind: "time", ms: 30 * DAY_MS } as const;
    expect(parentOf([29, 1], { fullEvery })).toBe("1 days");
    expect(parentOf([30, 1], { fullEvery })).toBe(null);
    expect(parentOf([30, 1], { fullEvery, nowMs: NOW_MS - 1 })).toBe("1 days");
    // The latest ones are new; the one that they build on is not.
    expect(parentOf([31, 2, 1], { fullEvery })).toBe(null);
  });

  test("is none for each backup whose number full_every says", () => {
    const fullEvery = { kind: "count", count: 3 } as const;
    expect(parentOf([3], { fullEvery })).toBe("3 days");
    expect(parentOf([3, 2], { fullEvery })).toBe("2 days");
    expect(parentOf([3, 2, 1], { fullEvery })).toBe(null);
    expect(parentOf([1], { fullEvery: { kind: "count", count: 1 } })).toBe(null);
    expect(parentOf([], { fullEvery })).toBe(null);
  });
});
