// The text of `agent schedules` and of the age of backups in `agent status`, as a person reads it.

import { expect, test } from "bun:test";
import pc from "picocolors";
import { renderLastBackups, renderSchedules } from "../../../../agent/cli/render_schedules.ts";
import { LAST_BACKUPS, SCHEDULE } from "../control/fake_schedules.ts";

const PAINT = pc.createColors(false);

test("renderSchedules() shows turns, counts, and why the last run failed", () => {
  const running = { ...SCHEDULE, schedule: "now", job: "j7", lastError: null };
  const expiry = {
    ...SCHEDULE,
    schedule: "expiry",
    kind: "expire",
    client: null,
    lastError: null,
    lastSuccessAgeSeconds: 3 * 86_400,
  } as const;
  const drill = { ...running, schedule: "drills", kind: "drill" } as const;
  const text = renderSchedules([SCHEDULE, running, expiry, drill], PAINT);
  const next = "2026-01-02T01:30:00Z";
  const what = "backup-filesystem web01 +30 2 \\* \\* \\* Europe/Berlin";
  const counts = "5 +2 +3 +1";
  const last = "2026-01-01T01:30:00Z +failed";
  for (
    const line of [
      `nightly +${what} +${next} +${last} +- +${counts}`,
      `now +${what} +job j7 +${last} +- +${counts}`,
      `drills +drill web01 +30 2 .* Europe/Berlin +job j7 +${last} +- +${counts}`,
      `expiry +expire +30 2 .* Europe/Berlin +${next} +${last} +3 days ago +${counts}`,
    ]
  ) expect(text).toMatch(new RegExp(`\n${line}\n`));
  expect(text.endsWith("\nnightly: Cannot connect\\x1b[31m\n")).toBe(true);
  expect(renderSchedules([], PAINT)).toBe("no schedules\n");
});

test("renderLastBackups() names clients without any success, and nothing on a client", () => {
  const text = renderLastBackups(LAST_BACKUPS, PAINT);
  expect(text).toMatch(
    /\nweb01 +filesystem +2026-01-01T00:00:30Z +2026-01-01T00:00:00Z +1:00 ago\n/,
  );
  expect(text).toMatch(/\ndb01 +sqlite app +2026-01-01T00:00:00Z +never +-\n/);
  expect(text).toMatch(/\nnew01 +- +- +never +-\n/);
  expect(renderLastBackups([], PAINT)).toBe("");
});
