// What GET /metrics tells, in the text format of Prometheus.
//
// Values are read from the daemon at each scrape. Counters never go back: they add what is new of
// each job since the last scrape, also after the daemon forgot old jobs.

import { Counter, Gauge, Registry } from "prom-client";
import { FALLBACK_CODES } from "../../transport/flow/fallback_reason.ts";
import { ArrayMetrics } from "./array_metrics.ts";
import type { Daemon, JobState, JobView } from "./daemon.ts";
import { DrillMetrics } from "./drill_metrics.ts";
import { ScheduleMetrics } from "./schedule_metrics.ts";
import { StgMetrics } from "./stg_metrics.ts";
import { WalMetrics } from "./wal_metrics.ts";

const STATES: readonly JobState[] = [
  "queued",
  "connecting",
  "running",
  "ok",
  "incomplete",
  "failed",
  "cancelled",
];

interface Seen {
  network: number;
  storage: number;
  fellBack: boolean;
}

export class DaemonMetrics {
  readonly #daemon: Daemon;
  readonly #registry = new Registry();
  readonly #bytes: Counter<"channel">;
  readonly #fallbacks: Counter<"reason">;
  readonly #jobs: Gauge<"state">;
  readonly #resident: Gauge;
  readonly #ready: Gauge;
  readonly #stgs: StgMetrics;
  readonly #arrays: ArrayMetrics;
  readonly #schedules: ScheduleMetrics;
  readonly #drills: DrillMetrics;
  readonly #wal: WalMetrics;
  #seen = new Map<string, Seen>();

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
    const registers = [this.#registry];
    this.#bytes = new Counter({
      name: "agent_channel_bytes_total",
      help: "Bytes that jobs moved through each channel, both directions",
      labelNames: ["channel"],
      registers,
    });
    this.#fallbacks = new Counter({
      name: "agent_fallbacks_total",
      help: "Jobs that used the network although storage was preferred, by reason",
      labelNames: ["reason"],
      registers,
    });
    for (const reason of FALLBACK_CODES) this.#fallbacks.inc({ reason }, 0);
    this.#jobs = new Gauge({
      name: "agent_jobs",
      help: "Jobs the daemon knows, by state",
      labelNames: ["state"],
      registers,
    });
    this.#resident = new Gauge({
      name: "agent_resident_memory_bytes",
      help: "Resident memory of the daemon",
      registers,
    });
    this.#ready = new Gauge({ name: "agent_ready", help: "1 when ready for jobs", registers });
    this.#stgs = new StgMetrics(this.#registry);
    this.#arrays = new ArrayMetrics(this.#registry);
    this.#schedules = new ScheduleMetrics(this.#registry);
    this.#drills = new DrillMetrics(this.#registry);
    this.#wal = new WalMetrics(this.#registry);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The metrics as text, read now. */
  async render(): Promise<string> {
    const status = this.#daemon.status();
    this.#resident.set(status.residentBytes);
    this.#ready.set(status.ready ? 1 : 0);
    this.#stgs.observe(status.stgs);
    this.#arrays.observe(this.#daemon.arrays());
    this.#observeJobs(this.#daemon.jobs());
    this.#schedules.observe(status.schedules, status.clients);
    this.#wal.observe(status.wal);
    if (this.#daemon.role === "server" && status.ready) {
      this.#drills.observe(this.#daemon.backups());
    }
    return await this.#registry.metrics();
  }

  #observeJobs(jobs: readonly JobView[]): void {
    const seen = new Map<string, Seen>();
    for (const state of STATES) {
      this.#jobs.set({ state }, jobs.filter((job) => job.state === state).length);
    }
    for (const job of jobs) {
      const before = this.#seen.get(job.job) ?? { network: 0, storage: 0, fellBack: false };
      const channels = (job.summary ?? job.progress)?.channels;
      const network = Math.max(before.network, channels?.network.bytes ?? 0);
      const storage = Math.max(before.storage, channels?.storage.bytes ?? 0);
      const fallback = job.summary?.fallback ?? null;
      this.#bytes.inc({ channel: "network" }, network - before.network);
      this.#bytes.inc({ channel: "storage" }, storage - before.storage);
      if (fallback !== null && !before.fellBack) this.#fallbacks.inc({ reason: fallback });
      seen.set(job.job, { network, storage, fellBack: fallback !== null });
    }
    this.#seen = seen;
  }
}
