// Runs the jobs of a daemon: lets them wait for their turn, gives each a worker, keeps the board,
// ends them all when the daemon stops. Server and client daemons are the same in this.
//
// A job that somebody asked this daemon for is submitted, and begins when it has its turn
// (queue_policy.ts). A job that a peer started is created and run at once: the peer waits for it on
// open connections, and has a queue of its own.

import {
  AgentError,
  type Clock,
  type ErrorRecord,
  type Random,
  type Thread,
  toErrorRecord,
} from "../../transport/mod.ts";
import type { Audit } from "../audit_log.ts";
import type { JobsConfig } from "../config/mod.ts";
import type { JobKind, JobRequest, Progress } from "../control/daemon.ts";
import { Job, type JobEnd } from "./job.ts";
import { JobBoard } from "./job_board.ts";
import { JobQueue, type QueuedJob } from "./job_queue.ts";
import { isAsFull, sourceOfRequest } from "./job_source.ts";
import { JobThread } from "./job_thread.ts";
import { PEER_JOBS_MAX } from "./limits.ts";
import { SpareThread } from "./spare_thread.ts";
import type { WorkerTask } from "./worker_protocol.ts";

export interface JobRunnerParts {
  readonly limits: JobsConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly startThread: () => Thread;
  /** Gives a thread the network before each job (spare_thread.ts). */
  readonly equipThread: (thread: Thread) => void;
  readonly startWriter: () => Thread;
  readonly audit: Audit;
  readonly onAssertion: (message: string) => void;
  /** Told what went wrong with a job, or after its end, for the log. */
  readonly onTrouble: (message: string) => void;
}

export interface NewJob {
  /** Given by the peer that initiates the job; null makes one. */
  readonly id: string | null;
  readonly kind: JobKind;
  readonly client: string | null;
  readonly request: JobRequest | null;
}

export interface SubmitOptions {
  /** What it backs up (`sourceOfRequest`): it waits for other jobs of that. */
  readonly source: string | null;
  /** Runs the job, once it has its turn; what it throws fails the job. */
  readonly begin: (job: Job) => void;
}

/** Letters of job ids: no two that look alike. */
const ID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const ID_LENGTH = 10;

export class JobRunner {
  readonly board = new JobBoard();
  readonly #parts: JobRunnerParts;
  readonly #threads = new Map<string, JobThread>();
  readonly #queue: JobQueue;
  readonly #spare: SpareThread;
  readonly #writers: SpareThread;
  /** Jobs until their leases are given back, too. */
  readonly #ending = new Set<Promise<void>>();
  #stopping = false;

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
    this.#queue = new JobQueue(parts.limits);
    this.#spare = new SpareThread(parts);
    const equipThread = () => {};
    this.#writers = new SpareThread({ ...parts, startThread: parts.startWriter, equipThread });
  }

  /** From now on; what runs goes on, and what waits stays. */
  setLimits(limits: JobsConfig): void {
    this.#queue.setLimits(limits);
    this.#beginNext();
  }

  /** Jobs that wait for their turn. */
  get queuedCount(): number {
    return this.#queue.waitingCount;
  }

  /**
   * Takes a job that begins at once if it may, else when its turn comes.
   * @throws AgentError `busy` when the daemon stops or too many jobs wait
   */
  submit(start: NewJob, { source, begin }: SubmitOptions): Job {
    this.#refuseWhenStopping();
    this.#queue.requireRoom(source);
    const job = this.#add(start);
    this.#queue.enter({ job, source, begin });
    this.#beginNext();
    if (this.#queue.has(job)) job.report(queuedProgress(job.start.id));
    return job;
  }

  /**
   * Makes a job that cannot wait, for `run`.
   * @throws AgentError `busy` when the daemon stops or runs too many jobs
   */
  create(start: NewJob): Job {
    this.#refuseWhenStopping();
    this.#queue.requirePeerRoom(PEER_JOBS_MAX);
    const job = this.#add(start);
    this.#queue.addPeer(job);
    return job;
  }

  /** @throws AgentError `busy` when `max` jobs that cannot wait run already */
  requirePeerRoom(max: number): void {
    this.#queue.requirePeerRoom(max);
  }

  /**
   * Gives a job its worker.
   * @param onEnded gives back what the job was lent; runs once, also when no worker can start
   * @throws what starting the worker throws; the job has failed with it then
   */
  run(job: Job, task: WorkerTask, onEnded: () => Promise<void>): JobThread {
    const id = job.start.id;
    let thread: JobThread;
    try {
      const [threads, writers] = [this.#spare, this.#writers];
      thread = new JobThread(job, task, { ...this.#parts, threads, writers });
    } catch (error) {
      job.end(neverRan(error), this.#parts.clock.monotonicMs());
      this.#giveBack(id, onEnded());
      throw error;
    }
    this.#threads.set(id, thread);
    this.#giveBack(id, thread.ended.then(onEnded));
    return thread;
  }

  /** True while a backup of the same source that is as full waits or runs. */
  isUnderWay(request: JobRequest): boolean {
    const source = sourceOfRequest(request);
    return source !== null &&
      this.#queue.jobsOf(source).some(({ start }) =>
        start.request !== null && isAsFull(start.request, request)
      );
  }

  /** Cancels the job with this id or unique prefix; one that waits ends at once. */
  cancel(prefix: string): Job {
    const job = this.board.find(prefix);
    if (this.#queue.withdraw(job)) this.#endWaiting(job);
    this.#threads.get(job.start.id)?.cancel();
    return job;
  }

  /** Tells the jobs that this host lost a group. */
  lose(stg: string, error: ErrorRecord): void {
    for (const thread of this.#threads.values()) thread.lose(stg, error);
  }

  /** Cancels every job and waits until their workers are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const job of this.#queue.withdrawAll()) this.#endWaiting(job);
    const threads = [...this.#threads.values()];
    for (const thread of threads) thread.cancel();
    await Promise.all(this.#ending);
    await Promise.all([this.#spare.close(), this.#writers.close()]);
  }

  /** A lease that cannot be given back is lost, its volume with it: that ends no daemon. */
  #giveBack(id: string, ended: Promise<void>): void {
    const ending = ended
      .catch((error) => this.#parts.onTrouble(`job "${id}": ${toErrorRecord(error).message}`))
      .finally(() => {
        this.#threads.delete(id);
        this.#ending.delete(ending);
        this.#queue.leave(id);
        this.#beginNext();
      });
    this.#ending.add(ending);
  }

  /** Begins what may begin, until the next in turn has to wait. */
  #beginNext(): void {
    if (this.#stopping) return;
    for (let next = this.#queue.next(); next !== null; next = this.#queue.next()) {
      this.#begin(next);
    }
  }

  #begin({ job, begin }: QueuedJob): void {
    job.begin(this.#parts.clock.monotonicMs());
    try {
      begin(job);
    } catch (error) {
      job.end(neverRan(error), this.#parts.clock.monotonicMs());
      this.#queue.leave(job.start.id);
    }
  }

  #endWaiting(job: Job): void {
    const error = new AgentError("cancelled", "Cannot start the job: cancelled while it waited");
    job.end(neverRan(error), this.#parts.clock.monotonicMs());
  }

  #add(start: NewJob): Job {
    const { clock } = this.#parts;
    const job = new Job({
      ...start,
      id: start.id ?? this.#newId(),
      createdMs: clock.wallMs(),
      startedMs: clock.monotonicMs(),
    });
    this.board.add(job);
    return job;
  }

  #refuseWhenStopping(): void {
    if (this.#stopping) throw new AgentError("busy", "Cannot start a job: the daemon is stopping");
  }

  #newId(): string {
    const bytes = this.#parts.random.bytes(ID_LENGTH);
    return [...bytes].map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("");
  }
}

function queuedProgress(job: string): Progress {
  return {
    type: "progress",
    job,
    phase: "queued",
    files: 0,
    bytes: 0,
    totalFiles: null,
    totalBytes: null,
    seconds: 0,
    bytesPerSecond: 0,
    channels: NO_BYTES,
  };
}

const NO_BYTES = { network: { bytes: 0 }, storage: { bytes: 0 } } as const;

function neverRan(error: unknown): JobEnd {
  return {
    state: error instanceof AgentError && error.code === "cancelled" ? "cancelled" : "failed",
    backup: null,
    files: null,
    bytes: null,
    channels: NO_BYTES,
    error: toErrorRecord(error),
  };
}
