// Runs the jobs of a daemon: gives each a worker, keeps the board, ends them all when the daemon
// stops. Server and client daemons are the same in this.

import { AgentError, type Clock, type Random, type Thread } from "../../transport/mod.ts";
import type { JobKind, JobRequest } from "../control/daemon.ts";
import { Job } from "./job.ts";
import { JobBoard } from "./job_board.ts";
import { JobThread } from "./job_thread.ts";
import type { WorkerTask } from "./worker_protocol.ts";

export interface JobRunnerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly startThread: () => Thread;
  readonly onAssertion: (message: string) => void;
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

  /** Starts the worker of a job; `onEnded` runs when it is gone. */
  run(job: Job, task: WorkerTask, onEnded: () => Promise<void>): JobThread {
    const thread = new JobThread(job, task, this.#parts);
    const id = job.start.id;
    this.#threads.set(id, thread);
    void thread.ended.then(async () => {
      this.#threads.delete(id);
      await onEnded();
    });
    return thread;
  }

  thread(id: string): JobThread | undefined {
    return this.#threads.get(id);
  }

  /** Cancels the job with this id or unique prefix. */
  cancel(prefix: string): Job {
    const job = this.board.find(prefix);
    this.#threads.get(job.start.id)?.cancel();
    return job;
  }

  /** Cancels every job and waits until their workers are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const threads = [...this.#threads.values()];
    for (const thread of threads) thread.cancel();
    await Promise.all(threads.map((thread) => thread.ended));
  }

  #newId(): string {
    const bytes = this.#parts.random.bytes(ID_LENGTH);
    return [...bytes].map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("");
  }
}
