// Which backups a retention keeps: by examples, and by properties over random histories.

import { describe, expect, test } from "bun:test";
import type { Retention } from "../../../../agent/config/mod.ts";
import { periodOf } from "../../../../agent/vault/calendar_period.ts";
import { applyRetention } from "../../../../agent/vault/retention_policy.ts";
import type { RetentionFact } from "../../../../agent/vault/retention_policy.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { randomFacts, randomRetention, rules, seedsOf } from "./random_retention.ts";

const DAY_MS = 86_400_000;

/** Backups at these times, oldest first; `!` marks an incomplete one. */
function backupsAt(...times: readonly string[]): RetentionFact[] {
  return times.map((time, at) => ({
    backup: `b${at + 1}`,
    number: at + 1,
    timeMs: Date.parse(`${time.replace("!", "")}Z`),
    status: time.endsWith("!") ? "incomplete" : "ok",
    pinned: false,
    inUse: false,
  }));
}

function kept(facts: readonly RetentionFact[], retention: Retention | null): string[] {
  const reasons = [...applyRetention(facts, retention)].filter(([, why]) => why.length > 0);
  return reasons.map(([backup, why]) => `${backup}: ${why.join(", ")}`).sort();
}

describe("periodOf()", () => {
  test("names days, ISO weeks, months and years of UTC", () => {
    const at = (text: string) => Date.parse(text);
    expect(periodOf("daily", at("2026-11-26T23:59:59.999Z"))).toBe("2026-11-26");
    expect(periodOf("daily", at("2026-11-27T00:30:00+01:00"))).toBe("2026-11-26");
    expect(periodOf("monthly", at("2026-11-30T23:59:59Z"))).toBe("2026-11");
    expect(periodOf("yearly", at("2026-12-31T23:59:59Z"))).toBe("2026");
    // Examples of ISO 8601: the week belongs to the year of its Thursday.
    for (
      const [day, week] of [
        ["2026-11-26", "2026-W48"],
        ["2026-12-28", "2026-W53"],
        ["2027-01-03", "2026-W53"],
        ["2027-01-04", "2027-W01"],
        ["2024-12-30", "2025-W01"],
        ["2023-01-01", "2022-W52"],
        ["2020-02-29", "2020-W09"],
      ] as const
    ) expect(periodOf("weekly", at(`${day}T12:00:00Z`))).toBe(week);
  });
});

describe("applyRetention()", () => {
  test("keeps everything while nothing is configured", () => {
    const facts = backupsAt("2026-01-01T00:00", "2026-01-02T00:00");
    expect(kept(facts, null)).toEqual([
      "b1: no retention configured",
      "b2: no retention configured",
    ]);
  });

  test("keep_last keeps the newest by order of publication, whatever their clock said", () => {
    const facts = backupsAt("2026-01-09T00:00", "2026-01-01T00:00", "2026-01-02T00:00");
    expect(kept(facts, rules({ last: 2 }))).toEqual([
      "b2: last 2",
      "b3: last 2, newest, newest complete",
    ]);
  });

  test("keep_daily keeps the newest of each of the newest days that have any", () => {
    const facts = backupsAt(
      "2026-11-20T08:00",
      "2026-11-24T08:00",
      "2026-11-24T23:59",
      "2026-11-26T00:00",
      "2026-11-26T12:00",
    );
    expect(kept(facts, rules({ daily: 2 }))).toEqual([
      "b3: daily 2026-11-24",
      "b5: daily 2026-11-26, newest, newest complete",
    ]);
  });

  test("several rules each give their reason", () => {
    const facts = backupsAt("2025-06-30T01:00", "2026-10-31T01:00", "2026-11-25T01:00");
    expect(kept(facts, rules({ weekly: 1, monthly: 2, yearly: 5 }))).toEqual([
      "b1: yearly 2025",
      "b2: monthly 2026-10",
      "b3: weekly 2026-W48, monthly 2026-11, yearly 2026, newest, newest complete",
    ]);
  });

  test("keep_within counts from the newest backup, so that nothing ages while none is made", () => {
    const facts = backupsAt("2020-01-01T00:00", "2020-01-02T00:00", "2020-01-05T00:00");
    expect(kept(facts, rules({ withinMs: 3 * DAY_MS }))).toEqual([
      "b2: within 3d",
      "b3: within 3d, newest, newest complete",
    ]);
  });

  test("an incomplete backup never displaces a complete one", () => {
    const facts = backupsAt(
      "2026-11-24T01:00",
      "2026-11-25T01:00",
      "2026-11-25T02:00!",
      "2026-11-26T01:00!",
      "2026-11-26T02:00!",
    );
    expect(kept(facts, rules({ daily: 2 }))).toEqual([
      "b2: daily 2026-11-25, newest complete",
      "b5: daily 2026-11-26, newest",
    ]);
    expect(kept(facts, rules({ last: 1 }))).toEqual(["b2: newest complete", "b5: last 1, newest"]);
  });

  test("keeps the same again when a clock went back while backups were incomplete", () => {
    const facts = backupsAt(
      "2026-11-25T01:00",
      "2026-11-26T01:00",
      "2026-11-24T01:00",
      "2026-11-25T02:00!",
      "2026-11-26T02:00",
    );
    const first = kept(facts, rules({ daily: 2 }));
    expect(first).toEqual([
      "b1: daily 2026-11-25",
      "b5: daily 2026-11-26, newest, newest complete",
    ]);
    const left = facts.filter(({ backup }) => first.some((line) => line.startsWith(backup)));
    expect(kept([...left, ...facts.slice(2, 3)], rules({ daily: 2 }))).toEqual(first);
  });

  test("keeps what is pinned or in use", () => {
    const [first, second, third] = backupsAt("2026-01-01T00:00", "2026-01-02T00:00", "2026-01-03");
    if (first === undefined || second === undefined || third === undefined) return;
    const facts = [{ ...first, pinned: true }, { ...second, inUse: true }, third];
    expect(kept(facts, rules({ last: 1 }))).toEqual([
      "b1: pinned",
      "b2: in use by a job",
      "b3: last 1, newest, newest complete",
    ]);
  });

  for (const seed of seedsOf()) {
    test(`holds its promises on random histories, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      for (let round = 0; round < 50; round++) {
        const facts = randomFacts(random);
        const retention = randomRetention(random);
        const reasons = applyRetention(facts, retention);
        const keeps = (fact: RetentionFact) => (reasons.get(fact.backup) ?? []).length > 0;
        const newestFirst = [...facts].sort((a, b) => b.number - a.number);
        const must = [
          newestFirst[0],
          newestFirst.find(({ status }) => status === "ok"),
          ...facts.filter(({ pinned, inUse }) => pinned || inUse),
        ];
        for (const fact of must) expect(fact === undefined || keeps(fact)).toBe(true);
        // The order of the input means nothing.
        const turned = applyRetention([...facts].reverse(), retention);
        for (const { backup } of facts) expect(turned.get(backup)).toEqual(reasons.get(backup));
        // What is left is kept again, for the same reasons.
        const left = facts.filter(keeps);
        const again = applyRetention(left, retention);
        for (const { backup } of left) expect(again.get(backup)).toEqual(reasons.get(backup));
        // One more reason to keep a backup lets no other one go.
        const pinned = facts.map((fact, at) => at === 0 ? { ...fact, pinned: true } : fact);
        const more = applyRetention(pinned, retention);
        for (const fact of left) expect((more.get(fact.backup) ?? []).length).toBeGreaterThan(0);
      }
    });
  }
});
