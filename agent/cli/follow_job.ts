// Waits for a job: prints its events, resumes a lost event stream, cancels on Ctrl-C.
//
// The first SIGINT or SIGTERM asks the daemon to cancel and the wait goes on to the job's end; a
// second one gives up at once. The exit code says how the job ended, not what was asked for.

import { AgentError } from "../../transport/ground/error.ts";
import type { JobEvent, JobRequest, JobState, JobView, Summary } from "../control/mod.ts";
import { jobViewSchema } from "../control/view_schema.ts";
import { exitCodeOfJob } from "../exit_code.ts";
import type { CommandContext } from "./command.ts";
import { JobPrinter } from "./job_printer.ts";
import { MAX_RESUME_ATTEMPTS, RESUME_DELAY_MS } from "./limits.ts";

type StopSignal = "SIGINT" | "SIGTERM";

interface Followed {
  readonly job: string;
  since: number;
  summary: Summary | null;
  error: JobView["error"];
}

const ENDED: readonly JobState[] = ["ok", "incomplete", "failed", "cancelled"];

/** Starts a job and waits for its end. @returns the exit code of the contract */
export async function runJob(context: CommandContext, request: JobRequest): Promise<number> {
  const daemon = context.daemon();
  const started: { job: string | null } = { job: null };
  const stop = new StopOnSignal(context, () => started.job);
  try {
    const view = await daemon.post("/v1/jobs", request, jobViewSchema);
    started.job = view.job;
    stop.cancelIfAsked();
    return await follow(context, view.job, stop);
  } finally {
    stop.dispose();
  }
}

/** Follows a job that somebody started; signals end the following, not the job. */
export async function watchJob(context: CommandContext, job: string): Promise<number> {
  const stop = new StopOnSignal(context, null);
  try {
    return await follow(context, job, stop);
  } finally {
    stop.dispose();
  }
}

async function follow(context: CommandContext, job: string, stop: StopOnSignal): Promise<number> {
  const printer = new JobPrinter(context.out, context.json);
  const followed: Followed = { job, since: 0, summary: null, error: null };
  await readEvents(context, followed, printer, stop);
  const view = await lastView(context, followed);
  const status = followed.summary?.status ?? view?.summary?.status ?? "failed";
  const error = followed.error ?? view?.error ?? null;
  if (error !== null && followed.error === null) {
    printer.print({ type: "error", job, ...error });
  }
  return exitCodeOfJob({ state: view?.state ?? status, status, error }, stop.signal);
}

async function readEvents(
  context: CommandContext,
  followed: Followed,
  printer: JobPrinter,
  stop: StopOnSignal,
): Promise<void> {
  const daemon = context.daemon();
  for (let attempt = 0; followed.summary === null; attempt++) {
    const before = followed.since;
    try {
      const options = { since: followed.since, signal: stop.givenUp };
      for await (const event of daemon.events(followed.job, options)) {
        take(event, followed, printer);
      }
      // An ended job whose stream had nothing more will never send its summary.
      const silent = followed.summary === null && followed.since === before;
      if (silent && await hasEnded(context, followed.job)) return;
    } catch (error) {
      if (stop.givenUp.aborted) throw cancelled();
      const lost = error instanceof AgentError && error.code === "unreachable";
      if (!lost || attempt >= MAX_RESUME_ATTEMPTS) throw error;
    }
    if (followed.since > before) attempt = 0;
    if (attempt >= MAX_RESUME_ATTEMPTS) throw noEnd(followed.job);
    if (followed.summary === null) {
      await context.runtime.clock.sleep(RESUME_DELAY_MS, { signal: stop.givenUp });
    }
  }
}

function take(event: JobEvent, followed: Followed, printer: JobPrinter): void {
  // A resumed stream may repeat what was seen.
  if (event.id <= followed.since) return;
  followed.since = event.id;
  if (event.body.type === "error") followed.error = event.body;
  if (event.body.type === "summary") followed.summary = event.body;
  printer.print(event.body);
}

async function hasEnded(context: CommandContext, job: string): Promise<boolean> {
  const view = await readView(context, job);
  return ENDED.includes(view.state);
}

function readView(context: CommandContext, job: string): Promise<JobView> {
  return context.daemon().get(`/v1/jobs/${encodeURIComponent(job)}`, jobViewSchema);
}

/** The job's view at its end; null when the daemon stopped right after it. */
async function lastView(context: CommandContext, followed: Followed): Promise<JobView | null> {
  try {
    return await readView(context, followed.job);
  } catch (error) {
    if (followed.summary !== null) return null;
    throw error;
  }
}

function cancelled(): AgentError {
  return new AgentError("cancelled", "Cannot wait for the job: interrupted", {
    hint: "Look with `agent jobs` whether the job still runs.",
  });
}

function noEnd(job: string): AgentError {
  return new AgentError("unreachable", `Cannot follow job "${job}": its events ended too early`, {
    hint: `Try again with \`agent job ${job} --follow\`.`,
  });
}

/** Turns the first signal into a cancel request and the second into giving up. */
class StopOnSignal {
  readonly #context: CommandContext;
  readonly #job: (() => string | null) | null;
  readonly #abort = new AbortController();
  readonly #remove: readonly (() => void)[];
  #signal: StopSignal | null = null;
  #asked = false;

  /** @param job names the job to cancel; null when signals only end the waiting */
  constructor(context: CommandContext, job: (() => string | null) | null) {
    this.#context = context;
    this.#job = job;
    const { process } = context.runtime;
    this.#remove = (["SIGINT", "SIGTERM"] as const).map((signal) =>
      process.onSignal(signal, () => this.#onSignal(signal))
    );
  }

  get signal(): StopSignal | null {
    return this.#signal;
  }

  /** Fires when waiting is over, whatever the job does. */
  get givenUp(): AbortSignal {
    return this.#abort.signal;
  }

  /** Sends the cancel request that a signal asked for before the job had a name. */
  cancelIfAsked(): void {
    const job = this.#job?.() ?? null;
    if (this.#signal === null || job === null || this.#asked) return;
    this.#asked = true;
    if (!this.#context.json) this.#context.out.write(2, `\ncancelling job ${job}\n`);
    const path = `/v1/jobs/${encodeURIComponent(job)}`;
    this.#context.daemon().delete(path, jobViewSchema).catch(() => this.#abort.abort());
  }

  dispose(): void {
    for (const remove of this.#remove) remove();
  }

  #onSignal(signal: StopSignal): void {
    if (this.#signal !== null || this.#job === null) this.#abort.abort();
    this.#signal ??= signal;
    this.cancelIfAsked();
  }
}
