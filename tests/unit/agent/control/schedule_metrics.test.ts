// The metrics of schedules and of the age of backups over the life of a configuration.

import { describe, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { ScheduleMetrics } from "../../../../agent/control/schedule_metrics.ts";
import { LAST_BACKUPS, SCHEDULE } from "./fake_schedules.ts";

function bed() {
  const registry = new Registry();
  const metrics = new ScheduleMetrics(registry);
  const lines = async (pattern: RegExp) =>
    (await registry.metrics()).split("\n").filter((line) => pattern.test(line));
  return { metrics, lines };
}

describe("ScheduleMetrics", () => {
  test("a client without any backup has times of 0, and no age, until it has one", async () => {
    const { metrics, lines } = bed();
    metrics.observe([], LAST_BACKUPS);
    const of = '{client="new01",kind="",database=""}';
    expect(await lines(/new01/)).toEqual([
      `agent_last_success_timestamp_seconds${of} 0`,
      `agent_last_backup_timestamp_seconds${of} 0`,
    ]);
    const [backup] = LAST_BACKUPS.map((one) => ({ ...one, client: "new01" }));
    metrics.observe([], backup === undefined ? [] : [backup]);
    expect(await lines(/new01.*kind=""/)).toEqual([]);
    expect(await lines(/last_success_timestamp.*new01/)).toHaveLength(1);
  });

  test("a schedule that a reload took away has none any more", async () => {
    const { metrics, lines } = bed();
    metrics.observe([SCHEDULE, { ...SCHEDULE, schedule: "gone" }], []);
    expect((await lines(/"gone"/)).length).toBe((await lines(/"nightly"/)).length);
    metrics.observe([SCHEDULE], []);
    expect(await lines(/"gone"/)).toEqual([]);
    expect(await lines(/runs_total\{/)).toEqual([
      'agent_schedule_runs_total{schedule="nightly"} 5',
    ]);
  });
});
