// Coverage of an archive: by example, and random archives against a model that looks at one
// segment after the other. Each random archive prints its seed when it differs.

import { describe, expect, test } from "bun:test";
import { parseWalFileName, segmentName, WalCoverage } from "../../../../agent/wal/mod.ts";
import type { Reach, SegmentPlace, TimelineSwitch } from "../../../../agent/wal/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { seedsOf } from "../vault/random_retention.ts";

const BYTES = 16 * 1024 * 1024;

type Histories = Record<number, readonly (readonly [timeline: number, switchLsn: bigint])[]>;

function at(segment: number, offset = 0): bigint {
  return BigInt(segment) * BigInt(BYTES) + BigInt(offset);
}

function place(timeline: number, index: number): SegmentPlace {
  const file = parseWalFileName(segmentName(timeline, index, BYTES));
  if (file?.type !== "segment") throw new Error("no segment");
  return file;
}

function coverage(have: Record<number, readonly number[]>, histories: Histories = {}): WalCoverage {
  const segments = Object.entries(have).flatMap(([timeline, indexes]) =>
    indexes.map((index) => place(Number(timeline), index))
  );
  return new WalCoverage(segments, { segmentBytes: BYTES, histories: historyMap(histories) });
}

function historyMap(histories: Histories): Map<number, TimelineSwitch[]> {
  return new Map(
    Object.entries(histories).map(([timeline, switches]) => [
      Number(timeline),
      switches.map(([parent, switchLsn]) => ({ timeline: parent, switchLsn, reason: "" })),
    ]),
  );
}

const span = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe("WalCoverage.ranges()", () => {
  test("joins neighbours, in any order and across logs", () => {
    const found = coverage({ 1: [257, 3, 4, 255, 256, 4], 2: [9] });
    expect(found.timelines()).toEqual([1, 2]);
    expect(found.ranges(1)).toEqual([{ first: 3, last: 4 }, { first: 255, last: 257 }]);
    expect(found.ranges(2)).toEqual([{ first: 9, last: 9 }]);
    expect(found.ranges(3)).toEqual([]);
  });
});

describe("WalCoverage.reaches()", () => {
  const BACKUP = { timeline: 1, stopLsn: at(5, 300), archived: false };
  const reach = (timeline: number, endLsn: bigint, missing: string | null = null): Reach => ({
    timeline,
    endLsn,
    missing,
  });

  test("goes to the archive's end, and no further than a gap", () => {
    expect(coverage({ 1: span(2, 9) }).reaches(BACKUP)).toEqual([reach(1, at(10))]);
    expect(coverage({ 1: [...span(2, 7), ...span(9, 12)] }).reaches(BACKUP))
      .toEqual([reach(1, at(8), "000000010000000000000008")]);
  });

  test("is the backup's own end when nothing follows, or not at once", () => {
    expect(coverage({}).reaches(BACKUP)).toEqual([reach(1, at(5, 300))]);
    expect(coverage({ 1: span(2, 5) }).reaches(BACKUP)).toEqual([reach(1, at(5, 300))]);
    expect(coverage({ 1: span(7, 9) }).reaches(BACKUP))
      .toEqual([reach(1, at(5, 300), "000000010000000000000006")]);
  });

  test("lacks the end of a backup that was archived and is gone, with all that followed", () => {
    const archived = { ...BACKUP, archived: true };
    const lost = [reach(1, at(5, 300), "000000010000000000000005")];
    expect(coverage({}).reaches(archived)).toEqual(lost);
    expect(coverage({ 1: span(2, 4) }).reaches(archived)).toEqual(lost);
    expect(coverage({ 1: [5] }).reaches(archived)).toEqual([reach(1, at(5, 300))]);
    expect(coverage({ 1: span(6, 9) }).reaches(archived)).toEqual([reach(1, at(10))]);
    expect(coverage({ 1: span(7, 9) }).reaches(archived))
      .toEqual([reach(1, at(5, 300), "000000010000000000000006")]);
    const histories: Histories = { 2: [[1, at(5, 400)]] };
    expect(coverage({ 2: span(5, 6) }, histories).reaches(archived))
      .toEqual([reach(1, at(5, 300)), reach(2, at(7))]);
  });

  test("does not need the segments of the backup's own range, which it has", () => {
    expect(coverage({ 1: span(6, 9) }).reaches(BACKUP)).toEqual([reach(1, at(10))]);
    // It ends where a segment ends: the next one is the first that it lacks.
    expect(coverage({ 1: span(6, 9) }).reaches({ ...BACKUP, stopLsn: at(6) }))
      .toEqual([reach(1, at(10))]);
  });

  test("follows a timeline that forked off after the backup, from its own first segment", () => {
    const histories: Histories = { 2: [[1, at(7, 100)]] };
    expect(coverage({ 1: span(2, 6), 2: span(7, 9) }, histories).reaches(BACKUP))
      .toEqual([reach(1, at(7)), reach(2, at(10))]);
    // The parent went on, too, and its segment 7 is not the one of the new timeline.
    expect(coverage({ 1: span(2, 8), 2: span(8, 9) }, histories).reaches(BACKUP))
      .toEqual([reach(1, at(9)), reach(2, at(7), "000000020000000000000007")]);
  });

  test("does not go to a timeline that left before the backup's end, or without a history", () => {
    expect(coverage({ 1: span(2, 6), 2: span(5, 9) }, { 2: [[1, at(5, 200)]] }).reaches(BACKUP))
      .toEqual([reach(1, at(7))]);
    const found = coverage({ 1: span(2, 6), 2: span(7, 9) });
    expect(found.reaches(BACKUP)).toEqual([reach(1, at(7))]);
    expect(found.unknownAfter(1)).toEqual([2]);
  });

  test("goes through several timelines, also two within one segment", () => {
    const histories: Histories = {
      2: [[1, at(7, 100)]],
      3: [[1, at(7, 100)], [2, at(7, 200)]],
      4: [[1, at(7, 100)], [2, at(9, 8)]],
    };
    const have = { 1: span(2, 6), 2: span(7, 9), 3: span(7, 8), 4: span(9, 10) };
    expect(coverage(have, histories).reaches(BACKUP))
      .toEqual([reach(1, at(7)), reach(2, at(10)), reach(3, at(9)), reach(4, at(11))]);
  });

  test("needs the fork's segment when a standby's backup ends in it", () => {
    const histories: Histories = { 2: [[1, at(5, 400)]] };
    expect(coverage({ 2: span(5, 6) }, histories).reaches(BACKUP))
      .toEqual([reach(1, at(5, 300)), reach(2, at(7))]);
    expect(coverage({ 2: span(6, 6) }, histories).reaches(BACKUP))
      .toEqual([reach(1, at(5, 300)), reach(2, at(5, 300), "000000020000000000000005")]);
  });
});

/** The same, one segment after the other. */
function modelReach(
  have: ReadonlySet<string>,
  chain: readonly (readonly [timeline: number, fromLsn: bigint])[],
  stopLsn: bigint,
): { endLsn: bigint; missing: string | null } {
  const [own] = chain[0] ?? [0];
  const nameAt = (index: number) => {
    const owner = chain.filter(([, from]) => from / BigInt(BYTES) <= BigInt(index)).at(-1);
    return `${owner?.[0] ?? 0}:${index}`;
  };
  const supplied = (index: number) => nameAt(index) === `${own}:${index}` && at(index) < stopLsn;
  let index = Number((stopLsn - 1n) / BigInt(BYTES));
  let endLsn = stopLsn;
  for (; supplied(index) || have.has(nameAt(index)); index++) {
    if (!supplied(index)) endLsn = at(index + 1);
  }
  const later = span(index, 80).some((one) => have.has(nameAt(one)));
  const [timeline = 0, number = 0] = nameAt(index).split(":").map(Number);
  return { endLsn, missing: later ? segmentName(timeline, number, BYTES) : null };
}

describe("WalCoverage.reaches() of random archives", () => {
  for (const seed of seedsOf()) {
    test(`seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      for (let run = 0; run < 200; run++) {
        const histories: Record<number, [number, bigint][]> = {};
        for (let timeline = 2; timeline <= 1 + random.below(4); timeline++) {
          const parent = 1 + random.below(timeline - 1);
          const before = histories[parent] ?? [];
          const from = Number((before.at(-1)?.[1] ?? 0n) / BigInt(BYTES));
          const fork = at(from + random.below(20), random.below(BYTES));
          const last = before.at(-1)?.[1] ?? 0n;
          histories[timeline] = [...before, [parent, fork < last ? last : fork]];
        }
        const have: Record<number, number[]> = {};
        const density = random.chance(0.5) ? 0.97 : 0.7;
        for (let timeline = 1; timeline <= 4; timeline++) {
          have[timeline] = span(random.below(10), 10 + random.below(60))
            .filter(() => random.chance(density));
        }
        const set = new Set(
          Object.entries(have).flatMap(([timeline, all]) => all.map((one) => `${timeline}:${one}`)),
        );
        const backup = {
          timeline: 1 + random.below(3),
          stopLsn: at(random.below(30), 1 + random.below(BYTES)),
          archived: false,
        };
        const reaches = coverage(have, histories).reaches(backup);
        const expected = [backup.timeline, 1, 2, 3, 4, 5].flatMap((timeline, first): Reach[] => {
          const history = timeline === backup.timeline ? [] : histories[timeline] ?? [];
          const start = history.findIndex(([parent, fork]) =>
            parent === backup.timeline && fork >= backup.stopLsn
          );
          if (first === 0 ? timeline !== backup.timeline : start < 0) return [];
          const rest = history.slice(Math.max(0, start));
          const chain = [
            [backup.timeline, 0n] as const,
            ...rest.map(([, fork], index) => [rest[index + 1]?.[0] ?? timeline, fork] as const),
          ];
          return [{ timeline, ...modelReach(set, chain, backup.stopLsn) }];
        });
        expect({ seed, run, reaches }).toEqual({ seed, run, reaches: expected });
      }
    });
  }
});
