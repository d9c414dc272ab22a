// How far the log in an archive goes: ranges and gaps of each timeline, and up to where a base
// backup can be recovered. Pure.
//
// A recovery reads segment after segment along the history of the timeline that it goes to. Each
// index is read from the newest timeline of that history which has begun by then: the first segment
// of a timeline is a copy of its parent's up to the fork. The segments of its own range are in the
// backup itself, so the archive is asked for what follows. A backup can go to its own timeline and
// to each that forked off its own at or after its end; without a history file to none of these.

import type { BackupRange } from "./backup_range.ts";
import type { TimelineSwitch } from "./timeline_history.ts";
import { segmentIndex, segmentName } from "./wal_file_name.ts";
import type { SegmentPlace } from "./wal_file_name.ts";

/** Consecutive segments by their numbers, both ends included. */
export interface SegmentRange {
  readonly first: number;
  readonly last: number;
}

/** How far a backup can be recovered on the way to one timeline. */
export interface Reach {
  readonly timeline: number;
  /** All that lies before is there. */
  readonly endLsn: bigint;
  /** The first segment that is not there although later ones are; null at the archive's end. */
  readonly missing: string | null;
}

/** A timeline and the number of its first segment, on the way to another one. */
interface Leg {
  readonly timeline: number;
  readonly begin: number;
}

export class WalCoverage {
  readonly #segmentBytes: number;
  readonly #ranges: ReadonlyMap<number, readonly SegmentRange[]>;
  readonly #histories: ReadonlyMap<number, readonly TimelineSwitch[]>;

  /**
   * @param segments in any order
   * @param histories of timelines, by their number
   */
  constructor(
    segments: Iterable<SegmentPlace>,
    { segmentBytes, histories }: {
      readonly segmentBytes: number;
      readonly histories: ReadonlyMap<number, readonly TimelineSwitch[]>;
    },
  ) {
    this.#segmentBytes = segmentBytes;
    this.#histories = histories;
    const indexes = new Map<number, number[]>();
    for (const place of segments) {
      const index = segmentIndex(place, segmentBytes);
      const known = indexes.get(place.timeline);
      if (known === undefined) indexes.set(place.timeline, [index]);
      else known.push(index);
    }
    this.#ranges = new Map([...indexes].map(([timeline, all]) => [timeline, rangesOf(all)]));
  }

  /** Timelines that have segments, oldest first. */
  timelines(): number[] {
    return [...this.#ranges.keys()].sort((a, b) => a - b);
  }

  /** What there is of a timeline, ascending: between two ranges is a gap. */
  ranges(timeline: number): readonly SegmentRange[] {
    return this.#ranges.get(timeline) ?? [];
  }

  /** Name of a segment that the archive may have. */
  nameOf(timeline: number, index: number): string {
    return segmentName(timeline, index, this.#segmentBytes);
  }

  /** Where a backup can be recovered to: its own timeline, then what forked off, ascending. */
  reaches(backup: Pick<BackupRange, "timeline" | "stopLsn" | "archived">): Reach[] {
    const after = [...this.#histories].filter(([timeline, history]) =>
      timeline !== backup.timeline &&
      history.some((one) => one.timeline === backup.timeline && one.switchLsn >= backup.stopLsn)
    );
    const targets = after.map(([timeline]) => timeline).sort((a, b) => a - b);
    const reaches = [backup.timeline, ...targets].map((timeline) => this.#reach(backup, timeline));
    const goesOn = reaches.some(({ endLsn }) => endLsn > backup.stopLsn);
    if (!backup.archived || goesOn) return reaches;
    // The archive had the end of the backup itself: where that is gone, what followed may be, too.
    const last = Number((backup.stopLsn - 1n) / BigInt(this.#segmentBytes));
    if (this.#throughFrom(this.#legs(backup.timeline, backup.timeline), last) >= last) {
      return reaches;
    }
    const missing = this.nameOf(backup.timeline, last);
    return reaches.map((reach) => ({ ...reach, missing: reach.missing ?? missing }));
  }

  /** Timelines after that of a backup which no history leads to, so that it cannot go there. */
  unknownAfter(timeline: number): number[] {
    return this.timelines().filter((one) => one > timeline && !this.#histories.has(one));
  }

  #reach(
    { timeline: own, stopLsn }: Pick<BackupRange, "timeline" | "stopLsn">,
    timeline: number,
  ): Reach {
    const bytes = BigInt(this.#segmentBytes);
    const ownLast = Number((stopLsn - 1n) / bytes);
    const legs = this.#legs(own, timeline);
    let next = owner(legs, ownLast) === own ? ownLast + 1 : ownLast;
    const start = next;
    const last = this.#lastOn(legs, next);
    for (let there = true; there && next <= last;) {
      const through = this.#throughFrom(legs, next);
      there = through >= next;
      next = Math.max(next, through + 1);
    }
    return {
      timeline,
      endLsn: next === start ? stopLsn : BigInt(next) * bytes,
      missing: next <= last ? this.nameOf(owner(legs, next), next) : null,
    };
  }

  /** The way to a timeline from the backup's own on, each with the segment that it begins with. */
  #legs(own: number, timeline: number): Leg[] {
    const legs: Leg[] = [{ timeline: own, begin: 0 }];
    if (timeline === own) return legs;
    const history = (this.#histories.get(timeline) ?? []).filter((one) => one.timeline >= own);
    history.forEach(({ switchLsn }, at) => {
      const begin = Number(switchLsn / BigInt(this.#segmentBytes));
      legs.push({ timeline: history[at + 1]?.timeline ?? timeline, begin });
    });
    return legs;
  }

  /** Number of the last segment on the way, -1 when there is none from `from` on. */
  #lastOn(legs: readonly Leg[], from: number): number {
    for (const [leg, end] of withEnds(legs).reverse()) {
      for (const range of [...this.ranges(leg.timeline)].reverse()) {
        const last = Math.min(range.last, end - 1);
        if (last >= Math.max(range.first, leg.begin, from)) return last;
      }
    }
    return -1;
  }

  /** Number of the last segment that is there without a break from `index` on, within its leg. */
  #throughFrom(legs: readonly Leg[], index: number): number {
    for (const [leg, end] of withEnds(legs)) {
      if (index < leg.begin || index >= end) continue;
      const range = this.ranges(leg.timeline).find((one) =>
        one.first <= index && one.last >= index
      );
      return range === undefined ? -1 : Math.min(range.last, end - 1);
    }
    return -1;
  }
}

/** Who has the segment of that number: the newest timeline that has begun by then. */
function owner(legs: readonly Leg[], index: number): number {
  return legs.findLast(({ begin }) => begin <= index)?.timeline ?? 0;
}

/** Each leg with the segment that the next one begins with. */
function withEnds(legs: readonly Leg[]): [Leg, number][] {
  return legs.map((leg, at) => {
    const after = legs.slice(at + 1).map(({ begin }) => begin);
    return [leg, Math.min(Infinity, ...after)];
  });
}

function rangesOf(indexes: readonly number[]): SegmentRange[] {
  const ranges: SegmentRange[] = [];
  for (const index of indexes.toSorted((a, b) => a - b)) {
    const before = ranges.at(-1);
    if (before !== undefined && index <= before.last + 1) {
      ranges[ranges.length - 1] = { first: before.first, last: index };
    } else ranges.push({ first: index, last: index });
  }
  return ranges;
}
