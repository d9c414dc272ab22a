// The day, week, month and year that a moment lies in. Always of UTC, so that a vault reads the
// same wherever its server stands and no night has an hour too few; weeks are those of ISO 8601,
// which begin on Monday and belong to the year that has their Thursday. Pure.

export type CalendarPeriod = "daily" | "weekly" | "monthly" | "yearly";

const DAY_MS = 86_400_000;

/**
 * Names the period of a moment.
 * @param ms milliseconds since 1970
 * @example periodOf("weekly", Date.UTC(2027, 0, 1)) // "2026-W53"
 */
export function periodOf(period: CalendarPeriod, ms: number): string {
  const day = new Date(ms).toISOString().slice(0, 10);
  if (period === "daily") return day;
  if (period === "weekly") return isoWeek(ms);
  return day.slice(0, period === "monthly" ? 7 : 4);
}

function isoWeek(ms: number): string {
  const weekday = (new Date(ms).getUTCDay() + 6) % 7;
  const thursday = new Date(ms + (3 - weekday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}
