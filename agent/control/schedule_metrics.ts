// The metrics of schedules, and of the age of each client's newest backups.
//
// Counters are the totals that the daemon keeps over restarts. Times that never were are 0, so
// that `time() - x` is large and an alarm needs no rule of its own for them: a client of the
// configuration that has no backup at all has them, too, with no kind.

import { Counter, Gauge, type Registry } from "prom-client";
import type { LastBackupView, ScheduleView } from "./schedule_view.ts";

const COUNTS = ["runs", "failed", "missed", "skipped"] as const;

type Source = "client" | "kind" | "database";

export class ScheduleMetrics {
  readonly #age: Gauge<Source>;
  readonly #success: Gauge<Source>;
  readonly #backup: Gauge<Source>;
  readonly #next: Gauge<"schedule">;
  readonly #lastRun: Gauge<"schedule">;
  readonly #lastSuccess: Gauge<"schedule">;
  readonly #counters: Readonly<Record<typeof COUNTS[number], Counter<"schedule">>>;

  constructor(registry: Registry) {
    const registers = [registry];
    const source = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ["client", "kind", "database"] as const, registers });
    const labelNames = ["schedule"] as const;
    const time = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
    const total = (name: string, help: string) =>
      new Counter({ name, help, labelNames, registers });
    const [success, backup] = ["newest complete backup", "newest published backup"];
    this.#age = source("agent_last_success_age_seconds", `Age of the ${success}`);
    this.#success = source("agent_last_success_timestamp_seconds", `Time of the ${success}`);
    this.#backup = source("agent_last_backup_timestamp_seconds", `Time of the ${backup}`);
    this.#next = time("agent_schedule_next_run_timestamp_seconds", "When its next run is due");
    this.#lastRun = time("agent_schedule_last_run_timestamp_seconds", "When its last run began");
    this.#lastSuccess = time(
      "agent_schedule_last_success_timestamp_seconds",
      "When its last run began that ended ok",
    );
    this.#counters = {
      runs: total("agent_schedule_runs_total", "Runs that ended by themselves"),
      failed: total("agent_schedule_failed_total", "Runs that failed"),
      missed: total("agent_schedule_missed_total", "Runs for which no daemon was there"),
      skipped: total("agent_schedule_skipped_total", "Runs left out: the same still ran"),
    };
  }

  observe(schedules: readonly ScheduleView[], clients: readonly LastBackupView[]): void {
    for (const metric of [this.#age, this.#success, this.#backup]) metric.reset();
    for (const { client, kind, database, ...last } of clients) {
      const source = { client, kind: kind ?? "", database: database ?? "" };
      const age = last.lastSuccessAgeSeconds;
      if (age !== null) this.#age.set(source, age);
      this.#success.set(source, secondsOf(last.lastSuccess));
      this.#backup.set(source, secondsOf(last.lastBackup));
    }
    const counters = Object.values(this.#counters);
    for (const metric of [this.#next, this.#lastRun, this.#lastSuccess, ...counters]) {
      metric.reset();
    }
    for (const { schedule, ...view } of schedules) {
      const of = { schedule };
      this.#next.set(of, secondsOf(view.next));
      this.#lastRun.set(of, secondsOf(view.lastRun));
      this.#lastSuccess.set(of, secondsOf(view.lastSuccess));
      for (const count of COUNTS) this.#counters[count].inc(of, view[count]);
    }
  }
}

function secondsOf(time: string | null): number {
  return time === null ? 0 : Date.parse(time) / 1000;
}
