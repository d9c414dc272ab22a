// Runs the jobs of a daemon: gives each a worker, keeps the board, ends them all when the daemon
// stops. Server and client daemons are the same in this.

import {
  AgentError,
  type Clock,
  type ErrorRecord,
  type Random,
  type Thread,
  toErrorRecord,
} from "../../transport/mod.ts";
import type { JobKind, JobRequest } from "../control/daemon.ts";
import { Job, type JobEnd } from "./job.ts";
import { JobBoard } from "./job_board.ts";
import { JobThread } from "./job_thread.ts";
import type { WorkerTask } from "./worker_protocol.ts";

export interface JobRunnerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly startThread: () => Thread;
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

/** Letters of job ids: no two that look alike. */
const ID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const ID_LENGTH = 10;

export class JobRunner {
  readonly board = new JobBoard();
  readonly #parts: JobRunnerParts;
  readonly #threads = new Map<string, JobThread>();
  /** Jobs until their leases are given back, too. */
  readonly #ending = new Set<Promise<void>>();
  #stopping = false;

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
  }

  /** @throws AgentError `busy` when the daemon stops or runs too many jobs */
  create(start: NewJob): Job {
    if (this.#stopping) throw new AgentError("busy", "Cannot start a job: the daemon is stopping");
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

  /**
   * Starts the worker of a job.
   * @param onEnded gives back what the job was lent; runs once, also when no worker can start
   * @throws what starting the worker throws; the job has failed with it then
   */
  run(job: Job, task: WorkerTask, onEnded: () => Promise<void>): JobThread {
    const id = job.start.id;
    let thread: JobThread;
    try {
      thread = new JobThread(job, task, this.#parts);
    } catch (error) {
      job.end(neverRan(error), this.#parts.clock.monotonicMs());
      this.#giveBack(id, onEnded());
      throw error;
    }
    this.#threads.set(id, thread);
    this.#giveBack(id, thread.ended.then(onEnded));
    return thread;
  }

  /** Cancels the job with this id or unique prefix. */
  cancel(prefix: string): Job {
    const job = this.board.find(prefix);
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
    const threads = [...this.#threads.values()];
    for (const thread of threads) thread.cancel();
    await Promise.all(this.#ending);
  }

  /** A lease that cannot be given back is lost, its volume with it: that ends no daemon. */
  #giveBack(id: string, ended: Promise<void>): void {
    const ending = ended
      .catch((error) => this.#parts.onTrouble(`job "${id}": ${toErrorRecord(error).message}`))
      .finally(() => {
        this.#threads.delete(id);
        this.#ending.delete(ending);
      });
    this.#ending.add(ending);
  }

  #newId(): string {
    const bytes = this.#parts.random.bytes(ID_LENGTH);
    return [...bytes].map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("");
  }
}

function neverRan(error: unknown): JobEnd {
  return {
    state: "failed",
    backup: null,
    files: null,
    bytes: null,
    channels: { network: { bytes: 0 }, storage: { bytes: 0 } },
    error: toErrorRecord(error),
  };
}
