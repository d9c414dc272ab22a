// Text about schedules and the age of backups, for people. Pure.

import { formatSeconds } from "../config/mod.ts";
import type { LastBackupView, ScheduleView } from "../control/mod.ts";
import { type Paint, printable } from "./output.ts";
import { paintState } from "./render_job.ts";
import { renderTable } from "./table.ts";

export function renderSchedules(schedules: readonly ScheduleView[], paint: Paint): string {
  if (schedules.length === 0) return "no schedules\n";
  const table = renderTable(
    [
      { title: "SCHEDULE" },
      { title: "WHAT" },
      { title: "WHEN" },
      { title: "NEXT" },
      { title: "LAST" },
      { title: "OUTCOME" },
      { title: "SUCCESS", align: "right" },
      { title: "RUNS", align: "right" },
      { title: "FAILED", align: "right" },
      { title: "MISSED", align: "right" },
      { title: "SKIPPED", align: "right" },
    ],
    schedules.map((one) => [
      one.schedule,
      whatText(one),
      `${printable(one.cron)} ${printable(one.timeZone)}`,
      one.job === null ? timeText(one.next) : paint.cyan(`job ${one.job}`),
      timeText(one.lastRun),
      one.lastOutcome === null ? "-" : paintState(one.lastOutcome, paint),
      ageText(one.lastSuccessAgeSeconds),
      String(one.runs),
      String(one.failed),
      String(one.missed),
      String(one.skipped),
    ]),
  );
  const errors = schedules.flatMap(({ schedule, lastError }) =>
    lastError === null ? [] : [`${schedule}: ${printable(lastError)}\n`]
  );
  return table + errors.join("");
}

/** "" where there is nothing to show: on a client. */
export function renderLastBackups(clients: readonly LastBackupView[], paint: Paint): string {
  return renderTable(
    [
      { title: "CLIENT" },
      { title: "KIND" },
      { title: "LAST BACKUP" },
      { title: "LAST SUCCESS" },
      { title: "AGE", align: "right" },
    ],
    clients.map((one) => [
      printable(one.client),
      one.database === null ? one.kind ?? "-" : `${one.kind} ${printable(one.database)}`,
      timeText(one.lastBackup),
      one.lastSuccess === null ? paint.red("never") : timeText(one.lastSuccess),
      ageText(one.lastSuccessAgeSeconds),
    ]),
  );
}

function whatText({ kind, client, database }: ScheduleView): string {
  const of = client ?? database;
  return of === null ? kind : `${kind} ${printable(of)}`;
}

/** Without milliseconds: people read it. */
function timeText(time: string | null): string {
  return time === null ? "-" : time.replace(/\.\d+Z$/, "Z");
}

function ageText(seconds: number | null): string {
  if (seconds === null) return "-";
  const days = Math.floor(seconds / 86_400);
  return days < 2 ? `${formatSeconds(seconds)} ago` : `${days} days ago`;
}
