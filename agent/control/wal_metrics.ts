// The metrics of archived write-ahead logs: how much there is, and how old the newest segment is.

import { Gauge, type Registry } from "prom-client";
import type { WalStatusView } from "./wal_report_view.ts";

const LABELS = ["client", "database", "system"] as const;

export class WalMetrics {
  readonly #age: Gauge<typeof LABELS[number]>;
  readonly #files: Gauge<typeof LABELS[number]>;
  readonly #bytes: Gauge<typeof LABELS[number]>;

  constructor(registry: Registry) {
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: LABELS, registers: [registry] });
    this.#age = gauge("agent_wal_newest_age_seconds", "Age of the newest archived segment");
    this.#files = gauge("agent_wal_files", "Files of an archived write-ahead log");
    this.#bytes = gauge("agent_wal_bytes", "Bytes of an archived write-ahead log as it is stored");
  }

  observe(archives: readonly WalStatusView[]): void {
    for (const metric of [this.#age, this.#files, this.#bytes]) metric.reset();
    for (const { client, database, system, ...archive } of archives) {
      const labels = { client, database, system };
      this.#files.set(labels, archive.files);
      this.#bytes.set(labels, archive.bytes);
      if (archive.newestAgeSeconds !== null) this.#age.set(labels, archive.newestAgeSeconds);
    }
  }
}
