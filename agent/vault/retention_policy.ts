// Which backups of one source are kept, and why. Pure: no clock is asked, so that the same backups
// give the same answer today and in a year, and a source that is backed up no more loses nothing.
//
// Rules (of UTC where they name the calendar):
//  1. Nothing configured: everything is kept.
//  2. The newest backup and the newest complete one are always kept, so is what is pinned or used.
//  3. `last` counts the newest backups. `daily` … `yearly` keep one backup of each of the latest so
//     many periods that have any. `within` counts back from the newest backup.
//  4. An incomplete backup counts like any other, but a period keeps its newest complete backup
//     when it has one: an incomplete backup never displaces a complete one.
// Each rule decides alone, so that further reasons to keep a backup never let another one go.

import type { Retention } from "../config/mod.ts";
import { periodOf } from "./calendar_period.ts";
import type { CalendarPeriod } from "./calendar_period.ts";

/** What the policy knows of a backup. */
export interface RetentionFact {
  readonly backup: string;
  /** Place in the order of publication, which decides what is newer. */
  readonly number: number;
  readonly timeMs: number;
  readonly status: "ok" | "incomplete";
  readonly pinned: boolean;
  /** A running job reads it or builds on it. */
  readonly inUse: boolean;
}

/** Why a backup or a media file stays for now. */
export const IN_USE = "in use by a job";

const PERIODS: readonly CalendarPeriod[] = ["daily", "weekly", "monthly", "yearly"];
const DAY_MS = 86_400_000;

/**
 * Decides about the backups of one source, in any order.
 * @returns the reasons to keep each backup, by its id; without a reason it expires
 */
export function applyRetention(
  backups: readonly RetentionFact[],
  retention: Retention | null,
): Map<string, string[]> {
  const newestFirst = [...backups].sort((a, b) => b.number - a.number);
  const reasons = new Map(newestFirst.map(({ backup }): [string, string[]] => [backup, []]));
  const keep = (fact: RetentionFact | undefined, why: string) => {
    if (fact !== undefined) reasons.get(fact.backup)?.push(why);
  };
  if (retention === null) {
    for (const fact of newestFirst) keep(fact, "no retention configured");
  } else {
    for (const fact of newestFirst.slice(0, retention.last)) keep(fact, `last ${retention.last}`);
    for (const period of PERIODS) {
      for (const [name, fact] of newestPeriods(newestFirst, period, retention[period])) {
        keep(fact, `${period} ${name}`);
      }
    }
    for (const fact of within(newestFirst, retention.withinMs)) {
      keep(fact, `within ${retention.withinMs / DAY_MS}d`);
    }
    keep(newestFirst[0], "newest");
    keep(newestFirst.find(isComplete), "newest complete");
  }
  for (const fact of newestFirst) {
    if (fact.pinned) keep(fact, "pinned");
    if (fact.inUse) keep(fact, IN_USE);
  }
  return reasons;
}

/**
 * The latest `count` periods that have backups, each with the one that stands for it. Their order
 * is the calendar's: by publication an expiry could change it, after a clock went back.
 */
function newestPeriods(
  newestFirst: readonly RetentionFact[],
  period: CalendarPeriod,
  count: number,
): [string, RetentionFact][] {
  const found = new Map<string, RetentionFact>();
  for (const fact of newestFirst) {
    const name = periodOf(period, fact.timeMs);
    const standing = found.get(name);
    if (standing === undefined || (!isComplete(standing) && isComplete(fact))) {
      found.set(name, fact);
    }
  }
  return [...found].sort(([a], [b]) => a < b ? 1 : -1).slice(0, count);
}

function within(newestFirst: readonly RetentionFact[], withinMs: number): RetentionFact[] {
  const [newest] = newestFirst;
  if (newest === undefined || withinMs === 0) return [];
  return newestFirst.filter(({ timeMs }) => timeMs >= newest.timeMs - withinMs);
}

function isComplete(fact: RetentionFact): boolean {
  return fact.status === "ok";
}
