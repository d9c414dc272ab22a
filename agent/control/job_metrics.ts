// How long jobs took: a histogram by kind and how they ended.
//
// Invariant: a job is counted once, at the first scrape after its end. One that the daemon forgot
// before is not; it remembers hundreds.

import { Histogram, type Registry } from "prom-client";
import type { JobView } from "./daemon.ts";

/** Seconds: from a database of a few rows to a night. */
const BUCKETS = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600];

export class JobMetrics {
  readonly #durations: Histogram<"kind" | "status">;
  #counted = new Set<string>();

  constructor(registry: Registry) {
    this.#durations = new Histogram({
      name: "agent_job_duration_seconds",
      help: "Time from a job's turn to its end, by kind and status",
      labelNames: ["kind", "status"],
      buckets: BUCKETS,
      registers: [registry],
    });
  }

  observe(jobs: readonly JobView[]): void {
    const counted = new Set<string>();
    for (const { job, kind, summary } of jobs) {
      if (summary === null) continue;
      const { status, seconds } = summary;
      if (!this.#counted.has(job)) this.#durations.observe({ kind, status }, seconds);
      counted.add(job);
    }
    this.#counted = counted;
  }
}
