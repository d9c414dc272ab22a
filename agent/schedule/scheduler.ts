// Starts what the configuration schedules, on the daemon's main thread: looks at the clock, does
// what each schedule decides (schedule_policy.ts), watches the jobs it started, and keeps the
// records in a file.
//
// Life cycle: the daemon makes it once it takes jobs, `run` goes on until its signal fires and
// starts nothing afterwards; `close`, after all jobs have ended, writes the file a last time. A job
// that the end of the daemon cut off stays open in its record, for the next daemon to tell.

import {
  AgentError,
  type Clock,
  type ErrorCode,
  type Files,
  type Random,
  toErrorRecord,
} from "../../transport/mod.ts";
import type { ScheduleEntry } from "../config/mod.ts";
import type { JobRequest, JobView } from "../control/daemon.ts";
import type { ScheduleView } from "../control/schedule_view.ts";
import type { DaemonParts } from "../daemon_parts.ts";
import { LOOK_MS, RETRY_MAX_MS, RETRY_MIN_MS, SAVE_DELAY_MS } from "./limits.ts";
import { RecordFile } from "./record_file.ts";
import { Schedule, timeText } from "./schedule.ts";
import { beginRun, type Decision, endRun, postponeRun } from "./schedule_policy.ts";
import type { Outcome } from "./schedule_record.ts";

/** Codes of a job whose peer is not there, whichever side has noticed. */
const NOT_FOUND_PEER: readonly ErrorCode[] = ["unreachable", "refused", "timeout"];

export interface SchedulerParts {
  readonly clock: Pick<Clock, "wallMs" | "sleep">;
  readonly random: Random;
  readonly files: Files;
  /** The file with the records. */
  readonly path: string;
  readonly log: DaemonParts["log"];
  /** @throws AgentError when the daemon does not take the job of the schedule with this name */
  readonly start: (request: JobRequest, schedule: string) => JobView;
  /** Does a backup that is as good, of whichever schedule or person, wait or run? */
  readonly isUnderWay: (request: JobRequest) => boolean;
  /** Resolves with the job at its end. */
  readonly ended: (job: string) => Promise<JobView>;
}

interface Ended {
  readonly outcome: Outcome;
  readonly error: JobView["error"];
  /** Null when the daemon took none. */
  readonly job: JobView | null;
}

export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #file: RecordFile;
  #schedules: readonly Schedule[];
  readonly #stopped: AbortSignal;
  /** Watched jobs, and a writing that is still to come. */
  readonly #pending = new Set<Promise<void>>();
  #saveIsComing = false;

  /** @param stopped fires when nothing may start any more */
  constructor(entries: readonly ScheduleEntry[], parts: SchedulerParts, stopped: AbortSignal) {
    this.#parts = parts;
    this.#stopped = stopped;
    this.#file = new RecordFile(parts.files, parts.path);
    this.#file.makeDirectory();
    const known = this.#file.read();
    if (known === null) {
      parts.log("warning", `cannot use "${parts.path}": what schedules missed is not known`);
    }
    const nowMs = parts.clock.wallMs();
    this.#schedules = entries.map((entry) => new Schedule(entry, known?.get(entry.name), nowMs));
    for (const { entry, record } of this.#schedules) {
      const past = known?.get(entry.name);
      if (past === undefined || past.open === null) continue;
      const then = record.retryMs === null ? "its next turn comes as ever" : "it runs again now";
      const when = timeText(past.open.startedMs);
      this.#warn(entry, `the run of ${when} was cut off by the end of the daemon; ${then}`);
    }
  }

  /** Goes on until the daemon stops. */
  async run(): Promise<void> {
    while (!this.#stopped.aborted) {
      for (const schedule of this.#schedules) this.#look(schedule);
      await this.#sleep(this.#pauseMs());
    }
  }

  /**
   * Takes other entries, at the next look. One of a name that is known goes on with its record and
   * its job; a job of one that is gone goes on, too.
   */
  replace(entries: readonly ScheduleEntry[]): void {
    const nowMs = this.#parts.clock.wallMs();
    const known = new Map(this.#schedules.map((schedule) => [schedule.entry.name, schedule]));
    this.#schedules = entries.map((entry) => {
      const schedule = known.get(entry.name);
      schedule?.replace(entry, nowMs);
      return schedule ?? new Schedule(entry, undefined, nowMs);
    });
    this.#saveSoon();
  }

  views(): ScheduleView[] {
    const nowMs = this.#parts.clock.wallMs();
    return this.#schedules.map((schedule) => schedule.view(nowMs));
  }

  /** After the jobs have ended. */
  async close(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    this.#save();
  }

  #look(schedule: Schedule): void {
    const nowMs = this.#parts.clock.wallMs();
    const isBlocked = () => this.#parts.isUnderWay(schedule.request());
    const decision = schedule.decide(nowMs, isBlocked);
    if (decision === null) return;
    this.#report(schedule, decision);
    if (decision.start !== null) this.#start(schedule, nowMs, decision.start === "late");
    this.#saveSoon();
  }

  #report({ entry, nextMs }: Schedule, { missed, skippedMs, start }: Decision): void {
    if (skippedMs !== null) {
      const why = "the same runs or waits already";
      this.#warn(entry, `skipped the run of ${timeText(skippedMs)}: ${why}`);
    }
    if (missed === null) return;
    const then = start === null ? `it runs next at ${timeText(nextMs)}` : "it runs now";
    const runs = missed.count === 1 ? "a run" : `${missed.count} runs`;
    this.#warn(entry, `missed ${runs}, the last at ${timeText(missed.lastMs)}; ${then}`);
  }

  #start(schedule: Schedule, nowMs: number, late: boolean): void {
    const { entry, record } = schedule;
    schedule.change(beginRun(record, { startedMs: nowMs, late }), nowMs);
    let job: JobView;
    try {
      job = this.#parts.start(schedule.request(), entry.name);
    } catch (error) {
      this.#end(schedule, { outcome: "failed", error: toErrorRecord(error), job: null });
      return;
    }
    schedule.job = job.job;
    this.#parts.log("info", `schedule "${entry.name}": started job "${job.job}"`);
    this.#hold(this.#watch(schedule, job.job));
  }

  async #watch(schedule: Schedule, id: string): Promise<void> {
    const job = await this.#parts.ended(id);
    schedule.job = null;
    // Cut off: the record keeps it open.
    if (job.state === "cancelled" && this.#stopped.aborted) return;
    this.#end(schedule, { outcome: outcomeOf(job.state), error: job.error, job });
  }

  #end(schedule: Schedule, { outcome, error, job }: Ended): void {
    const nowMs = this.#parts.clock.wallMs();
    const { entry, record } = schedule;
    const message = error?.message ?? null;
    const owed = outcome === "failed" ? this.#whyOwed(schedule, error, nowMs) : null;
    if (owed !== null) {
      const retryMs = nowMs + this.#retryPauseMs();
      this.#warn(entry, `${owed}: ${message}; it is tried again at ${timeText(retryMs)}`);
      schedule.change(postponeRun(record, retryMs), nowMs);
    } else {
      if (outcome !== "ok") {
        this.#warn(entry, `${outcome}${message === null ? "" : `: ${message}`}`);
      }
      const looked = schedule.hasLooked(outcome, job);
      schedule.change(endRun(record, { outcome, message, looked }), nowMs);
    }
    this.#saveSoon();
  }

  /** Why a run that failed is tried again before its next turn; null when it is not. */
  #whyOwed(schedule: Schedule, error: JobView["error"], nowMs: number): string | null {
    if (error?.code === "busy") return "busy";
    const isAway = NOT_FOUND_PEER.some((code) => code === error?.code);
    return isAway && schedule.awaitsPeer(nowMs) ? "no answer" : null;
  }

  #retryPauseMs(): number {
    const [byte = 0] = this.#parts.random.bytes(1);
    return RETRY_MIN_MS + Math.round((RETRY_MAX_MS - RETRY_MIN_MS) * byte / 255);
  }

  /** Timers may be a little early, and the clock may be set: it is looked at in any case. */
  #pauseMs(): number {
    const nowMs = this.#parts.clock.wallMs();
    const next = this.#schedules.map(({ nextMs }) => nextMs ?? Number.POSITIVE_INFINITY);
    return Math.max(1, Math.min(LOOK_MS, ...next.map((ms) => ms - nowMs)));
  }

  #saveSoon(): void {
    if (this.#saveIsComing) return;
    this.#saveIsComing = true;
    this.#hold(
      this.#sleep(SAVE_DELAY_MS).then(() => {
        this.#saveIsComing = false;
        this.#save();
      }),
    );
  }

  #save(): void {
    try {
      this.#file.write(new Map(this.#schedules.map(({ entry, record }) => [entry.name, record])));
    } catch (error) {
      const why = toErrorRecord(error).message;
      this.#parts.log("warning", `cannot write "${this.#file.path}": ${why}`);
    }
  }

  /** Ends early, without an error, when the daemon stops. */
  async #sleep(ms: number): Promise<void> {
    try {
      await this.#parts.clock.sleep(ms, { signal: this.#stopped });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
    }
  }

  #hold(work: Promise<void>): void {
    const held = work.finally(() => this.#pending.delete(held));
    this.#pending.add(held);
  }

  #warn({ name }: ScheduleEntry, what: string): void {
    this.#parts.log("warning", `schedule "${name}": ${what}`);
  }
}

function outcomeOf(state: JobView["state"]): Outcome {
  return state === "ok" || state === "incomplete" || state === "cancelled" ? state : "failed";
}
