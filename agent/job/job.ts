// One job as its daemon's main thread keeps it: state, log of events, trace of both sides.
//
// Invariants:
//  1. The summary is the last event, there is exactly one, and it always comes.
//  2. Events are numbered 1, 2, 3, …; a watcher that resumes after n misses none but old progress,
//     and the oldest of more than a job keeps.
//  3. A job ends once: what arrives afterwards is dropped.

import type { ErrorRecord, Fallback, FallbackReason } from "../../transport/mod.ts";
import type {
  ChannelBytes,
  JobEvent,
  JobEventBody,
  JobKind,
  JobRequest,
  JobState,
  JobView,
  Progress,
  Summary,
  TraceStep,
} from "../control/daemon.ts";
import type { Drill } from "../control/drill_view.ts";
import type { VerdictCounts } from "../control/restore_view.ts";
import type { Validation } from "./worker_protocol.ts";
import { leftOut } from "./bounded_document.ts";
import {
  JOB_EVENTS_MAX,
  JOB_STEPS_CHARACTERS_MAX,
  JOB_WARNING_CHARACTERS_MAX,
  STEP_CHARACTERS,
} from "./limits.ts";

export interface JobStart {
  readonly id: string;
  readonly kind: JobKind;
  readonly client: string | null;
  readonly request: JobRequest | null;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** The daemon's monotonic clock, for durations; a job that waits starts later (`begin`). */
  readonly startedMs: number;
}

/** How a job ended, as its worker or its daemon says. */
export interface JobEnd {
  readonly state: "ok" | "incomplete" | "failed" | "cancelled";
  readonly backup: string | null;
  readonly files: number | null;
  readonly bytes: number | null;
  /** What was there already, when the job went on from a backup that was cut. */
  readonly resumed?: Summary["resumed"];
  readonly channels: ChannelBytes;
  readonly error: ErrorRecord | null;
  readonly verdicts?: VerdictCounts | undefined;
  /** What an expiry removes of archived logs. */
  readonly wal?: Summary["wal"];
}

export class Job {
  readonly start: JobStart;
  /** What the job found, when it is a validation. */
  validation: Validation | null = null;
  /** What it came to, when it is a drill. */
  drill: Drill | null = null;
  readonly #events: JobEvent[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #steps: TraceStep[] = [];
  #stepsCharacters = 0;
  #warningCharacters = 0;
  #startedMs: number;
  #state: JobState = "queued";
  #kind: JobKind;
  #progress: Progress | null = null;
  #error: ErrorRecord | null = null;
  #summary: Summary | null = null;
  #lastEvent = 0;
  #backup: string | null = null;
  #fallback: FallbackReason | null = null;

  constructor(start: JobStart) {
    this.start = start;
    this.#kind = start.kind;
    this.#startedMs = start.startedMs;
  }

  get ended(): boolean {
    return this.#summary !== null;
  }

  /** True for one that lives as long as its connection, and keeps nobody waiting. */
  get isStanding(): boolean {
    return this.#kind === "archive-wal";
  }

  /** False for a validation that has ended: it moved nothing, and its caller has the answer. */
  get listed(): boolean {
    return !this.ended || this.#kind !== "validate";
  }

  view(): JobView {
    const { id, client, request, createdMs } = this.start;
    return {
      job: id,
      kind: this.#kind,
      state: this.#state,
      client,
      created: new Date(createdMs).toISOString(),
      request,
      progress: this.#progress,
      error: this.#error,
      summary: this.#summary,
    };
  }

  /** The job waited for its turn, and has it now: its duration counts from here. */
  begin(nowMs: number): void {
    this.#startedMs = nowMs;
  }

  steps(): readonly TraceStep[] {
    return this.#steps;
  }

  /** The first steps are kept; when there are too many, the last says so. */
  addSteps(steps: readonly TraceStep[]): void {
    for (const step of steps) {
      if (this.#stepsCharacters > JOB_STEPS_CHARACTERS_MAX) return;
      this.#stepsCharacters += STEP_CHARACTERS + step.call.length;
      const isLast = this.#stepsCharacters > JOB_STEPS_CHARACTERS_MAX;
      this.#steps.push(isLast ? leftOut(step) : step);
    }
  }

  setConnecting(): void {
    if (!this.ended) this.#state = "connecting";
  }

  /** The peer that initiated the job says only now what it is. */
  setRunning(kind: JobKind): void {
    if (this.ended) return;
    this.#state = "running";
    this.#kind = kind;
  }

  /** The backup that the job writes or reads, once it is known. */
  setBackup(backup: string): void {
    this.#backup = backup;
  }

  /** The job uses the network although it prefers the storage; its code goes into the summary. */
  setFallback({ reason, detail }: Fallback): void {
    if (this.ended) return;
    this.#fallback = reason;
    const message = `falls back to the network, ${reason}: ${detail}`;
    this.#append({ type: "warning", job: this.start.id, code: "fallback", message, path: null });
  }

  report(body: JobEventBody): void {
    if (this.ended) return;
    if (body.type === "progress") this.#progress = body;
    this.#append(body);
  }

  /** Ends the job: reports the error, if there is one, and the summary. */
  end(end: JobEnd, nowMs: number): void {
    if (this.ended) return;
    const job = this.start.id;
    if (end.error !== null) {
      this.#error = end.error;
      this.#append({ type: "error", job, ...end.error });
    }
    this.#state = end.state;
    this.#summary = {
      type: "summary",
      job,
      backup: end.backup ?? this.#publishedBackup(end),
      status: end.state === "cancelled" ? "failed" : end.state,
      files: end.files,
      bytes: end.bytes,
      seconds: Math.round(nowMs - this.#startedMs) / 1000,
      channels: end.channels,
      fallback: this.#fallback,
      ...(this.drill === null ? {} : { drill: this.drill }),
      ...(end.verdicts === undefined ? {} : { verdicts: end.verdicts }),
      ...(end.resumed === undefined ? {} : { resumed: end.resumed }),
      ...(end.wal === undefined ? {} : { wal: end.wal }),
    };
    this.#append(this.#summary);
  }

  /** Events after `since`, then those that come, until the summary. */
  async *events(options: { since: number; signal: AbortSignal }): AsyncIterable<JobEvent> {
    let last = options.since;
    while (!options.signal.aborted) {
      for (const event of this.#events.filter((event) => event.id > last)) {
        last = event.id;
        yield event;
        if (event.body.type === "summary") return;
      }
      if (this.ended && last >= this.#lastEvent) return;
      if (this.#lastEvent <= last) await this.#changed(options.signal);
    }
  }

  /** A failed job has published nothing; one that reads a backup names it either way. */
  #publishedBackup(end: JobEnd): string | null {
    const published = end.state === "ok" || end.state === "incomplete";
    const reads = this.#kind.startsWith("restore") || this.#kind === "drill";
    return published || reads ? this.#backup : null;
  }

  #append(body: JobEventBody): void {
    this.#lastEvent += 1;
    this.#events.push({ id: this.#lastEvent, body });
    this.#warningCharacters += charactersOf(body);
    if (this.#events.length > JOB_EVENTS_MAX) this.#drop("progress");
    while (this.#warningCharacters > JOB_WARNING_CHARACTERS_MAX) this.#drop("warning");
    for (const wake of this.#watchers) wake();
  }

  /** Makes room: the oldest of this type goes first, then the oldest event of any kind. */
  #drop(first: "progress" | "warning"): void {
    const index = this.#events.findIndex((event) => event.body.type === first);
    const [dropped] = this.#events.splice(Math.max(index, 0), 1);
    if (dropped !== undefined) this.#warningCharacters -= charactersOf(dropped.body);
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(); // While the watcher was busy with an event.
      const wake = () => {
        this.#watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}

/** What a warning takes of the characters of all. */
function charactersOf(body: JobEventBody): number {
  return body.type === "warning" ? body.message.length + (body.path ?? "").length : 0;
}
