// When a schedule has its turns: a calendar expression of cron in a time zone. Pure; the one file
// that knows the calendar library.
//
// A clock that goes forward skips local times, one that goes back repeats some. Expressions with
// fixed hours and minutes (also lists and ranges) then mean local times: each runs once a day, one
// that does not exist right after the gap. Those with "*" or "/" in hours or minutes mean
// intervals, which follow the time that really passes.

import { Cron } from "croner";

export interface Calendar {
  /** The first turn after a moment; ms since 1970. Null when there is none. */
  next(afterMs: number): number | null;
}

export interface CalendarText {
  /** Five fields, or a word such as "@daily". */
  readonly cron: string;
  /** A name of the IANA database. */
  readonly timeZone: string;
}

/** Any moment: an expression that has a turn after it has turns for ever. */
const SOME_MOMENT_MS = Date.UTC(2026, 0, 1);

/** @throws Error of the library for what `cronProblem` or `isTimeZone` find */
export function openCalendar({ cron, timeZone }: CalendarText): Calendar {
  const pattern = new Cron(cron, {
    timezone: timeZone,
    mode: "5-part",
    fixedTimeRule: "no-wildcard",
  });
  return { next: (afterMs) => pattern.nextRun(new Date(afterMs))?.getTime() ?? null };
}

/** What is wrong with an expression; null when it can be used. */
export function cronProblem(cron: string): string | null {
  // The library also knows single dates, and "?" for the moment at which it reads the expression.
  const fields = cron.trim().split(/\s+/);
  const isWord = /^@[a-z]+$/i.test(cron);
  if (!isWord && (fields.length !== 5 || cron.includes("?"))) return "no such expression";
  try {
    const calendar = openCalendar({ cron, timeZone: "UTC" });
    return calendar.next(SOME_MOMENT_MS) === null ? "a time that never comes" : null;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.replace(/^CronPattern: /, "");
  }
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
