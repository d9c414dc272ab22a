// What the tests of the scheduler run on: a clock that they move, and jobs that they end.

import type { ScheduleEntry } from "../../../../agent/config/mod.ts";
import type { JobRequest, JobView, Progress } from "../../../../agent/control/daemon.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import type { WaitOptions } from "../../../../transport/conn.ts";
import { cancellation } from "../../../../transport/ground/cancellation.ts";
import type { AgentError } from "../../../../transport/ground/error.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const NOON = Date.parse("2026-03-01T12:00:00Z");

export const HOURLY: ScheduleEntry = {
  name: "hourly",
  cron: "0 * * * *",
  timeZone: "UTC",
  catchUp: true,
  task: { kind: "backup-filesystem", client: "web01", paths: ["/srv"], full: false, ...EVERYTHING },
};

/** How far a job came that looked at media. */
export const VERIFYING: Progress = {
  type: "progress",
  job: "j1",
  phase: "verifying",
  files: 0,
  bytes: 0,
  totalFiles: 1,
  totalBytes: null,
  seconds: 0,
  bytesPerSecond: 0,
  channels: { network: { bytes: 0 }, storage: { bytes: 0 } },
};

/** Time that the test moves; a sleep ends when its time has passed. */
export class WallClock {
  #passedMs = 0;
  /** What the wall clock shows beside the time that passed. */
  #offsetMs = NOON;
  readonly #sleeps = new Map<() => void, number>();

  wallMs(): number {
    return this.#offsetMs + this.#passedMs;
  }

  /** The wall clock jumps; no sleep notices. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  sleep(ms: number, { signal }: WaitOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancellation(signal));
      this.#sleeps.set(resolve, this.#passedMs + ms);
      signal?.addEventListener("abort", () => {
        this.#sleeps.delete(resolve);
        reject(cancellation(signal));
      }, { once: true });
    });
  }

  /** Lets the time pass from one sleep's end to the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#passedMs + ms;
    for (;;) {
      await settle();
      const [wake, atMs = endMs] = [...this.#sleeps].sort((a, b) => a[1] - b[1])[0] ?? [];
      if (wake === undefined || atMs > endMs) break;
      this.#passedMs = atMs;
      this.#sleeps.delete(wake);
      wake();
    }
    this.#passedMs = endMs;
    await settle();
  }
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

export class Jobs {
  readonly requests: JobRequest[] = [];
  refuse: AgentError | null = null;
  underWay = false;
  readonly #ends = new Map<string, (job: JobView) => void>();
  readonly #started = new Map<string, JobView>();

  start(request: JobRequest): JobView {
    if (this.refuse !== null) throw this.refuse;
    this.requests.push(request);
    const job: JobView = {
      job: `j${this.requests.length}`,
      kind: request.kind,
      state: "queued",
      client: null,
      created: "",
      request,
      progress: null,
      error: null,
      summary: null,
    };
    this.#started.set(job.job, job);
    return job;
  }

  ended(job: string): Promise<JobView> {
    return new Promise((resolve) => this.#ends.set(job, resolve));
  }

  /** Ends the job that was started last. */
  async end(
    state: JobView["state"],
    error: JobView["error"] = null,
    progress: JobView["progress"] = null,
  ): Promise<void> {
    const id = `j${this.requests.length}`;
    const job = this.#started.get(id);
    if (job !== undefined) this.#ends.get(id)?.({ ...job, state, error, progress });
    await settle();
  }
}
