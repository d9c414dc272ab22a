// Calendar expressions in time zones: a local time runs once a day, whatever clocks do.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cronProblem, isTimeZone, openCalendar } from "../../../../agent/schedule/calendar.ts";

/** The first turns after a moment. */
function turns(cron: string, timeZone: string, after: string, count: number): string[] {
  const calendar = openCalendar({ cron, timeZone });
  const found: string[] = [];
  for (let next = calendar.next(Date.parse(after)); found.length < count && next !== null;) {
    found.push(new Date(next).toISOString().slice(5, 16));
    next = calendar.next(next);
  }
  return found;
}

describe("openCalendar()", () => {
  const BERLIN = "Europe/Berlin";
  /** Clocks go from 2:00 to 3:00 on 29 March, and from 3:00 back to 2:00 on 25 October. */
  const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
    ["30 2 * * *", BERLIN, "2026-03-28", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]],
    ["30 2 * * *", BERLIN, "2026-10-24", ["10-24T00:30", "10-25T00:30", "10-26T01:30"]],
    ["0,30 2 * * *", BERLIN, "2026-10-24T12:00Z", ["10-25T00:00", "10-25T00:30", "10-26T01:00"]],
    ["0 2-3 * * *", BERLIN, "2026-03-28T12:00Z", ["03-29T01:00", "03-30T00:00", "03-30T01:00"]],
    // Intervals follow the time that passes.
    ["0 * * * *", BERLIN, "2026-10-24T23:30Z", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]],
    ["0 * * * *", BERLIN, "2026-03-29T00:00Z", ["03-29T01:00", "03-29T02:00", "03-29T03:00"]],
    ["15 0 * * *", "Asia/Beirut", "2024-03-30", ["03-30T22:00", "03-31T21:15", "04-01T21:15"]],
    ["30 2 * * *", "UTC", "2026-03-28", ["03-28T02:30", "03-29T02:30", "03-30T02:30"]],
    ["0 0 L * *", "UTC", "2026-01-01", ["01-31T00:00", "02-28T00:00", "03-31T00:00"]],
    ["@weekly", "UTC", "2026-01-01", ["01-04T00:00", "01-11T00:00"]],
  ];
  for (const [cron, timeZone, after, expected] of cases) {
    test(`"${cron}" in ${timeZone} after ${after}`, () => {
      expect(turns(cron, timeZone, after, expected.length)).toEqual([...expected]);
    });
  }

  test("a fixed local time has one turn on each day of any year and zone", () => {
    const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"];
    const property = fc.property(
      fc.constantFrom(...zones, "America/Sao_Paulo", "Africa/Casablanca"),
      fc.integer({ min: 2010, max: 2035 }),
      fc.nat(23),
      fc.nat(59),
      (timeZone, year, hour, minute) => {
        const calendar = openCalendar({ cron: `${minute} ${hour} * * *`, timeZone });
        const dayOf = new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
        // From a noon, so that no day is cut.
        const startMs = Date.UTC(year, 0, 1, 12);
        const days: string[] = [];
        let at = startMs;
        for (let count = 0; count < 366; count++) {
          at = calendar.next(at) ?? Number.NaN;
          days.push(dayOf.format(at));
        }
        const first = Date.parse(days[0] ?? "");
        expect(days).toEqual(
          days.map((_, index) => new Date(first + index * 86_400_000).toISOString().slice(0, 10)),
        );
      },
    );
    fc.assert(property, { numRuns: 20 });
  });
});

describe("cronProblem()", () => {
  test("takes five fields and words, and says what is wrong with others", () => {
    for (
      const good of ["* * * * *", "*/5 0-6 1,15 JAN MON", " 0 0 * * * ", "@daily", "0 0 29 2 *"]
    ) {
      expect([good, cronProblem(good)]).toEqual([good, null]);
    }
    const bad = ["", "daily", "* * * *", "* * * * * *", "? * * * *", "@reboot", "@", "0 25 * * *"];
    for (const one of [...bad, "0 0 30 2 *", "*/0 * * * *", "2026-12-24T00:00:00"]) {
      expect([one, cronProblem(one)]).toEqual([one, expect.any(String)]);
    }
  });

  test("isTimeZone() knows the names of the time zone database", () => {
    const names = ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Mars/Base", ""];
    expect(names.map(isTimeZone)).toEqual([true, true, true, false, false]);
  });
});
