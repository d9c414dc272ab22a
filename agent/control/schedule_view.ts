// What a daemon shows of its schedules and of the age of backups: types only.

import type { Outcome } from "../schedule/schedule_record.ts";
import type { BackupView, JobKind } from "./daemon.ts";

/** The newest backups of a client's files, or of one of its databases. */
export interface LastBackupView {
  readonly client: string;
  /** Null for a client of the configuration that has no backup. */
  readonly kind: BackupView["kind"] | null;
  readonly database: string | null;
  /** When the newest published backup was begun. */
  readonly lastBackup: string | null;
  /** The same of the newest one that is complete: what is incomplete is no success. */
  readonly lastSuccess: string | null;
  readonly lastSuccessAgeSeconds: number | null;
}

export interface ScheduleView {
  readonly schedule: string;
  readonly kind: JobKind;
  /** Whose files it backs up, or whose backups it drills; null also when it drills all in turn. */
  readonly client: string | null;
  /** Which database it backs up or drills. */
  readonly database: string | null;
  readonly cron: string;
  readonly timeZone: string;
  /** Whether a run that was missed is made up for. */
  readonly catchUp: boolean;
  /** The job that runs or waits for it. */
  readonly job: string | null;
  readonly next: string | null;
  /** When its last run began that has ended. */
  readonly lastRun: string | null;
  readonly lastOutcome: Outcome | null;
  readonly lastError: string | null;
  /** When its last run began that ended "ok". */
  readonly lastSuccess: string | null;
  readonly lastSuccessAgeSeconds: number | null;
  readonly lastMissed: string | null;
  /** Runs that ended by themselves, and how many of them failed. */
  readonly runs: number;
  readonly failed: number;
  /** Turns for which the daemon was not there. */
  readonly missed: number;
  /** Turns that were left out, because the same still ran or waited. */
  readonly skipped: number;
}
