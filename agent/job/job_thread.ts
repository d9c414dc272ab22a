// The main thread's end of a job's worker: starts it, relays accepted connections to it, brings
// what it reports into the job, and ends it.
//
// The job ends exactly once: by the worker's own word, by its crash, or after the grace time of a
// cancellation, unless it is publishing: cut there, the backup would be told as cancelled and still
// be adopted by the next start. `ended` resolves when the thread is gone, or was kept for the next
// job (spare_thread.ts), and its leases can be given back.

import {
  type Clock,
  type Conn,
  type ErrorRecord,
  type Fallback,
  serveRelay,
  type Thread,
} from "../../transport/mod.ts";
import type { Audit } from "../audit_log.ts";
import type { ChannelBytes } from "../control/daemon.ts";
import type { Job } from "./job.ts";
import { CANCEL_GRACE_MS } from "./limits.ts";
import type { SpareThread } from "./spare_thread.ts";
import type { WalAnswer, WalRequest } from "./wal_request.ts";
import type {
  FromWorker,
  FromWriter,
  RelayedConnection,
  ToWorker,
  ToWriter,
  WorkerTask,
} from "./worker_protocol.ts";

export interface JobThreadParts {
  readonly clock: Clock;
  readonly threads: Pick<SpareThread, "take" | "giveBack">;
  /** Threads that write small files for a job (writer_worker.ts). */
  readonly writers: Pick<SpareThread, "take" | "giveBack">;
  readonly audit: Audit;
  /** Ends the process: one of our own invariants broke. */
  readonly onAssertion: (message: string) => void;
  /** Told what happened to a job that its operator should know, for the log. */
  readonly onTrouble: (message: string) => void;
}

/** Of a job that ended without a report of its own. */
const NO_BYTES = { network: { bytes: 0 }, storage: { bytes: 0 } } as const;

export class JobThread {
  readonly job: Job;
  readonly ended: Promise<void>;
  /** Told the answers to what `askWal` asked. */
  onWalAnswer: (id: number, answer: WalAnswer) => void = () => {};
  readonly #parts: JobThreadParts;
  readonly #thread: Thread;
  readonly #grace = new AbortController();
  /** Fires when the thread is gone: what was relayed to it ends. */
  readonly #gone = new AbortController();
  #resolveEnded: () => void = () => {};
  #writer: Thread | null = null;
  #cancelled = false;
  #committing = false;
  /** Nothing goes to the thread any more: it may have another job. */
  #left = false;

  constructor(job: Job, task: WorkerTask, parts: JobThreadParts) {
    this.job = job;
    this.#parts = parts;
    this.ended = new Promise((resolve) => this.#resolveEnded = resolve);
    this.#thread = parts.threads.take();
    this.#thread.onMessage((message) => this.#receive(message as FromWorker));
    this.#thread.onError((error) => this.#fail({ code: "internal", message: error.message }));
    job.setConnecting();
    this.#send({ type: "task", task });
  }

  /** Hands a connection that the main thread accepted over to the worker. */
  relay(
    conn: Conn,
    details: Pick<RelayedConnection, "role" | "setup" | "steps">,
  ): void {
    const { sentBytes, receivedBytes } = conn.counters;
    const { port1, port2 } = new MessageChannel();
    void serveRelay(conn, port1, { signal: this.#gone.signal });
    const connection: RelayedConnection = {
      ...details,
      port: port2,
      localAddr: conn.localAddr,
      remoteAddr: conn.remoteAddr,
      peerName: conn.peerName,
      alreadyBytes: sentBytes + receivedBytes,
    };
    this.#send({ type: "connection", connection }, [port2]);
  }

  /** Asks a job that carries a log. */
  askWal(request: WalRequest): void {
    this.#send({ type: "wal", request });
  }

  /** Asks the job to stop, and stops it after the grace time. */
  cancel(): void {
    if (this.job.ended || this.#cancelled) return;
    this.#cancelled = true;
    this.#send({ type: "cancel" });
    void this.#endAfterGrace();
  }

  /** Tells the job that its host lost this group: it goes on without, if it can. */
  lose(stg: string, error: ErrorRecord): void {
    if (!this.job.ended) this.#send({ type: "lost", stg, error });
  }

  async #endAfterGrace(): Promise<void> {
    try {
      await this.#parts.clock.sleep(CANCEL_GRACE_MS, { signal: this.#grace.signal });
    } catch {
      return; // The worker ended by itself.
    }
    if (this.#committing) return; // It ends by itself, with the backup or without.
    this.#fail({ code: "cancelled", message: "Cannot finish the job: cancelled" });
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    if (!this.#left) this.#thread.post(message, transfer);
  }

  #receive(message: FromWorker): void {
    const { job } = this;
    if (message.type === "steps") job.addSteps(message.steps);
    else if (message.type === "running") job.setRunning(message.kind);
    else if (message.type === "backup") job.setBackup(message.backup);
    else if (message.type === "report") job.report(message.body);
    else if (message.type === "audit") this.#audit(message);
    else if (message.type === "drill") job.drill = message.drill;
    else if (message.type === "validation") job.validation = message.validation;
    else if (message.type === "writer") this.#lendWriter();
    else if (message.type === "wal") this.onWalAnswer(message.id, message.answer);
    else if (message.type === "fallback") this.#fallBack(message.fallback);
    else if (message.type === "network") this.#warnOfNetwork(message.message);
    else if (message.type === "committing") this.#committing = true;
    else if (message.type === "assertion") this.#parts.onAssertion(message.message);
    else this.#end(message);
  }

  #audit({ peer, entry }: Extract<FromWorker, { type: "audit" }>): void {
    const who = { by: "peer", ...(peer === null ? {} : { name: peer }) };
    const job = this.job.start.id;
    const { action, result, details } = entry;
    this.#parts.audit({ who, action, result, details: { job, ...details } });
  }

  /** Starts a thread that writes for the job, and connects the two. */
  #lendWriter(): void {
    if (this.#left || this.#writer !== null) return;
    this.#writer = this.#parts.writers.take();
    this.#writer.onMessage((message) => {
      const said = message as FromWriter;
      if (said.type === "assertion") this.#parts.onAssertion(said.message);
      else this.#fail(said.error);
    });
    this.#writer.onError((error) => this.#fail({ code: "internal", message: error.message }));
    const { port1, port2 } = new MessageChannel();
    this.#writer.post({ type: "serve", port: port1 } satisfies ToWriter, [port1]);
    this.#send({ type: "writer", port: port2 }, [port2]);
  }

  #fallBack(fallback: Fallback): void {
    const { reason, detail } = fallback;
    this.job.setFallback(fallback);
    const id = this.job.start.id;
    this.#parts.onTrouble(`job "${id}" falls back to the network, ${reason}: ${detail}`);
  }

  #warnOfNetwork(message: string): void {
    const { id } = this.job.start;
    this.job.report({ type: "warning", job: id, code: "network", message, path: null });
    this.#parts.onTrouble(`job "${id}": ${message}`);
  }

  #end({ result, channels, closed }: Extract<FromWorker, { type: "end" }>): void {
    if ("error" in result) {
      this.#fail(result.error, channels);
      return;
    }
    const { status, ...rest } = result;
    this.job.end({
      state: status,
      ...rest,
      channels,
      error: null,
    }, this.#parts.clock.monotonicMs());
    void this.#close(closed && !this.#cancelled);
  }

  #fail(error: ErrorRecord, told: ChannelBytes | null = null): void {
    const channels = told ?? this.job.view().progress?.channels ?? NO_BYTES;
    const state = error.code === "cancelled" ? "cancelled" : "failed";
    this.job.end({
      state,
      backup: null,
      files: null,
      bytes: null,
      channels,
      error,
    }, this.#parts.clock.monotonicMs());
    void this.#close();
  }

  async #close(isInOrder = false): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    this.#grace.abort();
    this.#gone.abort();
    const { threads, writers, onTrouble } = this.#parts;
    try {
      // First, for it writes into directories that the job's thread holds open.
      if (this.#writer !== null) {
        await leave(this.#writer, isInOrder ? writers : null)
          .catch((error) => onTrouble(`job "${this.job.start.id}" leaves a thread: ${error}`));
      }
      await leave(this.#thread, isInOrder ? threads : null);
    } finally {
      this.#resolveEnded();
    }
  }
}

/** Gives a thread back, or ends it. */
async function leave(thread: Thread, to: JobThreadParts["threads"] | null): Promise<void> {
  await (to === null ? thread.terminate() : to.giveBack(thread));
}
