// One schedule of a running daemon: its entry of the configuration, its record, the job that it
// started, and when it wants to be looked at again.

import type { ScheduleEntry, ScheduleTask } from "../config/mod.ts";
import type { JobRequest, JobView } from "../control/daemon.ts";
import type { ScheduleView } from "../control/schedule_view.ts";
import { type Calendar, openCalendar } from "./calendar.ts";
import { AWAIT_PEER_MS, CLOCK_BACK_MS } from "./limits.ts";
import { decide, type Decision, newRecord, nextDueMs, resumeRecord } from "./schedule_policy.ts";
import type { Outcome, ScheduleRecord } from "./schedule_record.ts";

export class Schedule {
  #entry: ScheduleEntry;
  /** The job that runs or waits for it. */
  job: string | null = null;
  #calendar: Calendar;
  #record: ScheduleRecord;
  /** Null when nothing will ever be due. */
  #nextMs: number | null;
  /** When its late run first did not find its peer; null once it did, or was overtaken. */
  #awaitsSinceMs: number | null = null;

  /** @param known its record of a daemon before */
  constructor(entry: ScheduleEntry, known: ScheduleRecord | undefined, nowMs: number) {
    const { catchUp } = entry;
    const calendar = calendarName(entry);
    this.#entry = entry;
    this.#calendar = openCalendar(entry);
    this.#record = known === undefined
      ? newRecord(calendar, nowMs)
      : resumeRecord(known, { calendar, nowMs, catchUp });
    // What was missed is due at once.
    this.#nextMs = nowMs;
  }

  get entry(): ScheduleEntry {
    return this.#entry;
  }

  /** Takes another entry of the same name; its job goes on, and what was run last is known. */
  replace(entry: ScheduleEntry, nowMs: number): void {
    const calendar = calendarName(entry);
    const isSame = this.#record.calendar === calendar;
    this.#entry = entry;
    this.#calendar = openCalendar(entry);
    // Turns of another expression were never due.
    this.change(isSame ? this.#record : { ...this.#record, calendar, settledMs: nowMs }, nowMs);
  }

  get record(): ScheduleRecord {
    return this.#record;
  }

  get nextMs(): number | null {
    return this.#nextMs;
  }

  /** Takes a change of the record that is no decision. */
  change(record: ScheduleRecord, nowMs: number): void {
    this.#record = record;
    this.#nextMs = nextDueMs(record, { calendar: this.#calendar, nowMs });
  }

  /** @returns null while there is nothing to decide */
  decide(nowMs: number, isBlocked: () => boolean): Decision | null {
    const isDue = this.#nextMs !== null && this.#nextMs <= nowMs;
    const wasAhead = this.#record.settledMs > nowMs + CLOCK_BACK_MS;
    if (!isDue && !wasAhead) return null;
    const { catchUp } = this.entry;
    const calendar = this.#calendar;
    const decision = decide(this.#record, { calendar, nowMs, catchUp, isBlocked });
    this.change(decision.record, nowMs);
    if (decision.missed !== null || decision.start === "on time") this.#awaitsSinceMs = null;
    return decision;
  }

  /**
   * A run did not find its peer: is it tried again? One that is on time is not, for its next turn
   * comes; a late one is for a while, since it may be the first thing that a host does when it
   * starts, and its peer starts with it.
   */
  awaitsPeer(nowMs: number): boolean {
    if (this.#record.open?.late !== true) return false;
    this.#awaitsSinceMs ??= nowMs;
    // A clock that was set back makes no wait longer than it is.
    const waitedMs = Math.abs(nowMs - this.#awaitsSinceMs);
    if (waitedMs < AWAIT_PEER_MS) return true;
    this.#awaitsSinceMs = null;
    return false;
  }

  /** What its next run asks for. */
  request(): JobRequest {
    const { task } = this.entry;
    const { looked } = this.#record;
    if (task.kind === "expire") return { kind: "expire", dryRun: false };
    if (task.kind === "drill") {
      const { clients, database, kind, ...how } = task;
      const of = database ?? clients[looked % clients.length];
      // A sample of its own each time.
      return { kind, backup: of === undefined ? "latest" : `latest:${of}`, seed: null, ...how };
    }
    if (task.kind !== "verify") return task;
    const { data, parts } = task;
    const subset = parts === 1 ? null : { part: looked % parts + 1, of: parts };
    return { kind: "verify", backups: [], data, subset };
  }

  /**
   * Whether the run did what it was to do: the next one goes on to the next part, or client, then.
   * A verification tells damage of media when it has looked at all of them.
   * @param job null when it never was one
   */
  hasLooked(outcome: Outcome, job: JobView | null): boolean {
    if (outcome === "ok" || outcome === "incomplete") return true;
    // A client whose drills fail keeps no other from its turn.
    if (this.entry.task.kind === "drill") return outcome === "failed";
    // Without progress the damage is the catalog's.
    return job?.error?.code === "damaged" && job.progress?.phase === "verifying";
  }

  view(nowMs: number): ScheduleView {
    const { name, cron, timeZone, catchUp, task } = this.entry;
    const { lastRun, lastSuccessMs, lastMissedMs, runs, failed, missed, skipped } = this.#record;
    return {
      schedule: name,
      kind: task.kind,
      ...ofTask(task),
      cron,
      timeZone,
      catchUp,
      job: this.job,
      next: timeText(this.#nextMs),
      lastRun: timeText(lastRun?.startedMs ?? null),
      lastOutcome: lastRun?.outcome ?? null,
      lastError: lastRun?.message ?? null,
      lastSuccess: timeText(lastSuccessMs),
      lastSuccessAgeSeconds: lastSuccessMs === null
        ? null
        : Math.max(0, Math.round((nowMs - lastSuccessMs) / 1000)),
      lastMissed: timeText(lastMissedMs),
      runs,
      failed,
      missed,
      skipped,
    };
  }
}

/** The one whose files it backs up or drills, or the one database. */
function ofTask(task: ScheduleTask): Pick<ScheduleView, "client" | "database"> {
  if (task.kind === "backup-filesystem") return { client: task.client, database: null };
  if (task.kind === "backup-database") return { client: null, database: task.database };
  if (task.kind !== "drill") return { client: null, database: null };
  const [client = null, ...others] = task.clients;
  return { client: others.length === 0 ? client : null, database: task.database };
}

function calendarName({ cron, timeZone }: ScheduleEntry): string {
  return `${cron} ${timeZone}`;
}

export function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
