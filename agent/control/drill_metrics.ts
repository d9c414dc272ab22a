// The metrics of drills: the time and the result of the latest one of each source.

import { Gauge, type Registry } from "prom-client";
import type { BackupView } from "./daemon.ts";

export class DrillMetrics {
  readonly #time: Gauge<"client" | "kind" | "database">;
  readonly #ok: Gauge<"client" | "kind" | "database">;

  constructor(registry: Registry) {
    const labelNames = ["client", "kind", "database"] as const;
    const registers = [registry];
    this.#time = new Gauge({
      name: "agent_last_drill_timestamp_seconds",
      help: "Time of the latest drill of any backup",
      labelNames,
      registers,
    });
    this.#ok = new Gauge({
      name: "agent_last_drill_ok",
      help: "1 when the latest drill found everything right, else 0",
      labelNames,
      registers,
    });
  }

  observe(backups: readonly BackupView[]): void {
    this.#time.reset();
    this.#ok.reset();
    const drills = backups.flatMap(({ client, kind, database, drilled }) =>
      drilled === null ? [] : [{ labels: { client, kind, database: database ?? "" }, drilled }]
    );
    drills.sort((a, b) => Date.parse(a.drilled.time) - Date.parse(b.drilled.time));
    for (const { labels, drilled: { time, status } } of drills) {
      // Newest last: the last value of a label set stays.
      this.#time.set(labels, Date.parse(time) / 1000);
      this.#ok.set(labels, status === "ok" ? 1 : 0);
    }
  }
}
