// The schema of a daemon's status.
//
// Pure. Loose: a newer daemon may add keys.

import { z } from "zod";
import type { CutBackupView, StatusView } from "./daemon.ts";
import type { LastBackupView } from "./schedule_view.ts";
import { scheduleViewSchema, stgViewSchema } from "./view_schema.ts";

import { walStatusSchema } from "./wal_report_schema.ts";

const count = z.number().min(0);

const lastBackupSchema: z.ZodType<LastBackupView> = z.looseObject({
  client: z.string(),
  kind: z.enum(["filesystem", "postgresql", "sqlite", "command"]).nullable(),
  database: z.string().nullable(),
  lastBackup: z.string().nullable(),
  lastSuccess: z.string().nullable(),
  lastSuccessAgeSeconds: count.nullable(),
});

const cutBackupSchema: z.ZodType<CutBackupView> = z.looseObject({
  client: z.string(),
  paths: z.array(z.string()),
  time: z.string(),
  mediaBytes: count,
});

export const statusViewSchema: z.ZodType<StatusView> = z.looseObject({
  role: z.enum(["server", "client"]),
  name: z.string(),
  version: z.string(),
  ready: z.boolean(),
  reasons: z.array(z.string()),
  uptimeSeconds: count,
  residentBytes: count,
  stgs: z.array(stgViewSchema),
  jobs: z.looseObject({ running: count, queued: count, total: count }),
  schedules: z.array(scheduleViewSchema),
  clients: z.array(lastBackupSchema),
  cutBackups: z.array(cutBackupSchema),
  wal: z.array(walStatusSchema),
});
