// The jobs of a daemon between their acceptance and the end of what they hold: who waits, who runs,
// and whether there is room. Whose turn it is says queue_policy.ts. Starts and ends nothing.

import { AgentError } from "../../transport/ground/error.ts";
import type { JobsConfig } from "../config/mod.ts";
import type { Job } from "./job.ts";
import { STANDING_JOBS_MAX } from "./limits.ts";
import { nextTurn, type RunningTurn, type Turn } from "./queue_policy.ts";

export interface QueuedJob extends Turn {
  readonly job: Job;
  readonly begin: (job: Job) => void;
}

export class JobQueue {
  readonly #limits: JobsConfig;
  #waiting: readonly QueuedJob[] = [];
  /** By job, until what it was lent is given back. */
  readonly #running = new Map<string, RunningTurn & { readonly job: Job }>();

  constructor(limits: JobsConfig) {
    this.#limits = limits;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  has(job: Job): boolean {
    return this.#waiting.some((waiting) => waiting.job === job);
  }

  /** The jobs of a source that wait or run. */
  jobsOf(source: string): readonly Job[] {
    return [...this.#running.values(), ...this.#waiting]
      .filter((turn) => turn.source === source).map(({ job }) => job);
  }

  /** @throws AgentError `busy` when a job of this source has to wait and too many do */
  requireRoom(source: string | null): void {
    const { maxRunning, maxQueued } = this.#limits;
    const newcomer: Turn = { source };
    const count = this.#waiting.length;
    if (count < maxQueued || this.#next([...this.#waiting, newcomer]) === newcomer) return;
    throw new AgentError(
      "busy",
      `Cannot start a job: ${count} jobs wait for their turn, need fewer than ${maxQueued}`,
      {
        hint: `Try again later, cancel jobs, or raise \`jobs.max_running\` (${maxRunning}) or ` +
          "`jobs.max_queued` in the configuration.",
      },
    );
  }

  /** A job waits, at the end. */
  enter(job: QueuedJob): void {
    this.#waiting = [...this.#waiting, job];
  }

  /** The job that begins now and runs until it leaves; null when none may begin. */
  next(): QueuedJob | null {
    const next = this.#next(this.#waiting);
    if (next === null) return null;
    this.withdraw(next.job);
    const { job, source } = next;
    this.#running.set(job.start.id, { job, source, own: true });
    return next;
  }

  /** Takes a job out that waits. @returns false when it does not */
  withdraw(job: Job): boolean {
    const waited = this.has(job);
    this.#waiting = this.#waiting.filter((waiting) => waiting.job !== job);
    return waited;
  }

  withdrawAll(): readonly Job[] {
    const jobs = this.#waiting.map(({ job }) => job);
    this.#waiting = [];
    return jobs;
  }

  /** @throws AgentError `busy` when `max` jobs that cannot wait run already */
  requirePeerRoom(max: number): void {
    const peers = [...this.#running.values()].filter(({ own }) => !own);
    const standing = peers.filter(({ job }) => job.isStanding).length;
    const count = peers.length - standing;
    if (count < max && standing < STANDING_JOBS_MAX) return;
    if (count < max) {
      const message = `Cannot start a job: ${standing} standing connections, need fewer than ` +
        `${STANDING_JOBS_MAX}`;
      throw new AgentError("busy", message, { hint: "Cancel those that nobody needs." });
    }
    throw new AgentError("busy", `Cannot start a job: ${count} jobs run, need fewer than ${max}`, {
      hint: "Wait for a job to end, or cancel one: `agent jobs`, `agent cancel JOB`.",
    });
  }

  /** A job that cannot wait runs until it leaves. */
  addPeer(job: Job): void {
    this.#running.set(job.start.id, { job, source: null, own: false });
  }

  /** The job has given back what it was lent. Idempotent. */
  leave(id: string): void {
    this.#running.delete(id);
  }

  #next<T extends Turn>(waiting: readonly T[]): T | null {
    const { maxRunning } = this.#limits;
    return nextTurn(waiting, { running: [...this.#running.values()], maxRunning });
  }
}
