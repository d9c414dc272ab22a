// What a schedule's runs ask for, one after the other, and how it is shown.

import { describe, expect, test } from "bun:test";
import type { ScheduleTask } from "../../../../agent/config/mod.ts";
import { Schedule } from "../../../../agent/schedule/schedule.ts";
import { endRun } from "../../../../agent/schedule/schedule_policy.ts";
import type { Outcome } from "../../../../agent/schedule/schedule_record.ts";
import { HOURLY, NOON } from "./schedule_bed.ts";

type DrillTask = Extract<ScheduleTask, { kind: "drill" }>;

const DRILL: DrillTask = {
  kind: "drill",
  clients: ["web01", "new01", "db01"],
  database: null,
  sample: { entries: 20 },
  scratch: "/scratch",
  identityFile: "/run/key",
};

function drillOf(change: Partial<DrillTask>): Schedule {
  return new Schedule({ ...HOURLY, task: { ...DRILL, ...change } }, undefined, NOON);
}

/** A run ends. @returns which backup it drilled */
function drilled(schedule: Schedule, outcome: Outcome): string | null {
  const request = schedule.request();
  const looked = schedule.hasLooked(outcome, null);
  schedule.change(endRun(schedule.record, { outcome, message: null, looked }), NOON);
  return request.kind === "drill" ? request.backup : null;
}

describe("a schedule of drills", () => {
  test("request() takes the latest backup of each client in turn, whatever comes of it", () => {
    const schedule = drillOf({});
    const { scratch, sample, identityFile } = DRILL;
    expect(schedule.request()).toEqual({
      kind: "drill",
      backup: "latest:web01",
      sample,
      seed: null,
      scratch,
      identityFile,
    });
    const ends = ["cancelled", "failed", "failed", "ok", "incomplete"] as const;
    expect(ends.map((outcome) => drilled(schedule, outcome)))
      .toEqual(["web01", "web01", "new01", "db01", "web01"].map((name) => `latest:${name}`));
  });

  test("request() takes one client or database each time, and of no clients the latest", () => {
    const turns = (change: Partial<DrillTask>) => {
      const schedule = drillOf(change);
      return [drilled(schedule, "ok"), drilled(schedule, "ok")];
    };
    expect(turns({ clients: ["web01"] })).toEqual(["latest:web01", "latest:web01"]);
    expect(turns({ clients: [], database: "app" })).toEqual(["latest:app", "latest:app"]);
    expect(turns({ clients: [] })).toEqual(["latest", "latest"]);
  });

  test("view() has the name of the client or the database, when it is one", () => {
    const changes = [{}, { clients: ["web01"] }, { clients: [], database: "app" }];
    expect(changes.map((change) => drillOf(change).view(NOON))).toMatchObject([
      { kind: "drill", client: null, database: null },
      { kind: "drill", client: "web01", database: null },
      { kind: "drill", client: null, database: "app" },
    ]);
  });
});
