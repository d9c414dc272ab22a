// What the daemon for tests shows of schedules and of the age of backups.

import type { LastBackupView, ScheduleView } from "../../../../agent/control/mod.ts";

export const SCHEDULE: ScheduleView = {
  schedule: "nightly",
  kind: "backup-filesystem",
  client: "web01",
  database: null,
  cron: "30 2 * * *",
  timeZone: "Europe/Berlin",
  catchUp: true,
  job: null,
  next: "2026-01-02T01:30:00.000Z",
  lastRun: "2026-01-01T01:30:00.000Z",
  lastOutcome: "failed",
  lastError: "Cannot connect\x1b[31m",
  lastSuccess: null,
  lastSuccessAgeSeconds: null,
  lastMissed: "2025-12-31T01:30:00.000Z",
  runs: 5,
  failed: 2,
  missed: 3,
  skipped: 1,
};

export const LAST_BACKUPS: readonly LastBackupView[] = [
  {
    client: "web01",
    kind: "filesystem",
    database: null,
    lastBackup: "2026-01-01T00:00:30.000Z",
    lastSuccess: "2026-01-01T00:00:00.000Z",
    lastSuccessAgeSeconds: 60,
  },
  {
    client: "db01",
    kind: "sqlite",
    database: "app",
    lastBackup: "2026-01-01T00:00:00.000Z",
    lastSuccess: null,
    lastSuccessAgeSeconds: null,
  },
  {
    client: "new01",
    kind: null,
    database: null,
    lastBackup: null,
    lastSuccess: null,
    lastSuccessAgeSeconds: null,
  },
];
