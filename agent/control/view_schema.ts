// Schemas of what the control endpoint answers: the OpenAPI document is made from them, and the
// command line checks with them what it reads.
//
// Pure. Each is typed by its interface in daemon.ts. They are loose: a newer daemon may add keys.

import { z } from "zod";
import type { ArrayView } from "./array_view.ts";
import type {
  BackupDetail,
  BackupView,
  ChangedEntry,
  FoundEntry,
  JobEventBody,
  JobView,
  ListedEntry,
  Progress,
  Summary,
  TraceStep,
} from "./daemon.ts";
import type { StgView } from "./stg_view.ts";
import type { WalPushed, WalPushedOwn } from "./wal_view.ts";
import { walArchivePartSchema } from "./wal_report_schema.ts";
import { FALLBACK_CODES } from "../../transport/flow/fallback_reason.ts";
import { ERROR_CODES } from "../../transport/ground/error.ts";
import { OUTCOMES } from "../schedule/schedule_record.ts";
import type { ScheduleView } from "./schedule_view.ts";
import { drillSchema } from "./drill_schema.ts";
import { VERDICTS } from "../verdict.ts";
import { jobRequestSchema } from "./request_schema.ts";

const count = z.number().min(0);
const bytes = z.looseObject({ bytes: count });
const channels = z.looseObject({ network: bytes, storage: bytes });

const errorCode = z.enum([...ERROR_CODES, "internal"]);

const errorRecord = z.looseObject({
  code: errorCode,
  message: z.string(),
  hint: z.string().optional(),
});

const summarySchema: z.ZodType<Summary> = z.looseObject({
  type: z.literal("summary"),
  job: z.string(),
  backup: z.string().nullable(),
  status: z.enum(["ok", "incomplete", "failed"]),
  files: count.nullable(),
  bytes: count.nullable(),
  seconds: count,
  channels,
  fallback: z.enum(FALLBACK_CODES).nullable(),
  drill: drillSchema.optional(),
  verdicts: z.record(z.enum(VERDICTS), z.looseObject({ files: count, bytes: count })).optional(),
  resumed: z.looseObject({ files: count, bytes: count }).optional(),
  wal: z.looseObject({
    files: count,
    bytes: count,
    archives: z.array(z.looseObject({
      client: z.string(),
      database: z.string(),
      system: z.string(),
      files: count,
      bytes: count,
      why: z.string(),
    })),
  }).optional(),
});

const progressSchema: z.ZodType<Progress> = z.looseObject({
  type: z.literal("progress"),
  job: z.string(),
  phase: z.enum([
    "queued",
    "connecting",
    "scanning",
    "reading",
    "writing",
    "publishing",
    "verifying",
  ]),
  files: count,
  bytes: count,
  totalFiles: count.nullable(),
  totalBytes: count.nullable(),
  seconds: count,
  bytesPerSecond: count,
  channels,
});

const warningSchema = z.looseObject({
  type: z.literal("warning"),
  job: z.string(),
  code: z.string(),
  message: z.string(),
  path: z.string().nullable(),
});

const jobErrorSchema = z.looseObject({
  type: z.literal("error"),
  job: z.string(),
  code: errorCode,
  message: z.string(),
  hint: z.string().optional(),
});

const expiryPartSchema = z.looseObject({
  type: z.literal("expiry"),
  job: z.string(),
  items: z.array(z.looseObject({
    type: z.literal("item"),
    backup: z.string(),
    client: z.string(),
    kind: z.string(),
    database: z.string().nullable(),
    time: z.string(),
    status: z.enum(["ok", "incomplete"]),
    action: z.enum(["keep", "expire", "held"]),
    why: z.array(z.string()),
    frees: count,
    holds: count,
  })),
});

const restorePartSchema = z.looseObject({
  type: z.literal("restore"),
  job: z.string(),
  items: z.array(z.looseObject({
    type: z.literal("item"),
    action: z.enum(VERDICTS),
    path: z.string(),
    pathBase64: z.string().nullable(),
    kind: z.string(),
    bytes: count,
  })),
});

export const eventBodySchema: z.ZodType<JobEventBody> = z.union([
  progressSchema,
  warningSchema,
  expiryPartSchema,
  restorePartSchema,
  walArchivePartSchema,
  jobErrorSchema,
  summarySchema,
]);

const jobKind = z.enum([
  "backup-filesystem",
  "backup-database",
  "restore-filesystem",
  "restore-database",
  "verify",
  "verify-wal",
  "rebuild-catalog",
  "archive-wal",
  "expire",
  "drill",
  "validate",
]);

export const jobViewSchema: z.ZodType<JobView> = z.looseObject({
  job: z.string(),
  kind: jobKind,
  state: z.enum(["queued", "connecting", "running", "ok", "incomplete", "failed", "cancelled"]),
  client: z.string().nullable(),
  created: z.string(),
  request: jobRequestSchema.nullable(),
  progress: progressSchema.nullable(),
  error: errorRecord.nullable(),
  summary: summarySchema.nullable(),
});

export const scheduleViewSchema: z.ZodType<ScheduleView> = z.looseObject({
  schedule: z.string(),
  kind: jobKind,
  client: z.string().nullable(),
  database: z.string().nullable(),
  cron: z.string(),
  timeZone: z.string(),
  catchUp: z.boolean(),
  job: z.string().nullable(),
  next: z.string().nullable(),
  lastRun: z.string().nullable(),
  lastOutcome: z.enum(OUTCOMES).nullable(),
  lastError: z.string().nullable(),
  lastSuccess: z.string().nullable(),
  lastSuccessAgeSeconds: count.nullable(),
  lastMissed: z.string().nullable(),
  runs: count,
  failed: count,
  missed: count,
  skipped: count,
});

export const traceStepSchema: z.ZodType<TraceStep> = z.looseObject({
  figure: z.enum(["4", "4A", "5"]),
  side: z.enum(["server", "client"]),
  step: z.string(),
  call: z.string(),
  atMs: z.number(),
  skipped: z.boolean(),
});

const backupShape = {
  backup: z.string(),
  client: z.string(),
  kind: z.enum(["filesystem", "postgresql", "sqlite", "command"]),
  database: z.string().nullable(),
  time: z.string(),
  paths: z.array(z.string()),
  exclude: z.array(z.string()),
  excludeCaches: z.boolean(),
  oneFileSystem: z.boolean(),
  excludeLargerThan: count.nullable(),
  ignoreFile: z.string().nullable(),
  level: z.enum(["full", "incremental"]),
  status: z.enum(["ok", "incomplete"]),
  pinned: z.boolean(),
  drilled: drillSchema.nullable(),
  files: count,
  bytes: count,
  channels,
  fallback: z.string().nullable(),
};

export const backupViewSchema: z.ZodType<BackupView> = z.looseObject(backupShape);

export const backupDetailSchema: z.ZodType<BackupDetail> = z.looseObject({
  ...backupShape,
  parent: z.string().nullable(),
  seconds: count,
  mediaBytes: count,
  media: z.string(),
  skipped: z.array(z.looseObject({ path: z.string(), reason: z.string() })),
});

const listedShape = {
  path: z.string(),
  pathBase64: z.string().nullable(),
  type: z.string(),
  mode: z.string(),
  uid: count,
  gid: count,
  bytes: count,
  mtime: z.string(),
  target: z.string().nullable(),
};

export const listedEntrySchema: z.ZodType<ListedEntry> = z.looseObject(listedShape);

export const foundEntrySchema: z.ZodType<FoundEntry> = z.looseObject({
  ...listedShape,
  client: z.string(),
  first: z.string(),
  last: z.string(),
});

export const changedEntrySchema: z.ZodType<ChangedEntry> = z.looseObject({
  change: z.enum(["added", "removed", "changed"]),
  path: z.string(),
  pathBase64: z.string().nullable(),
  type: z.string(),
  bytes: count,
  reasons: z.array(
    z.enum(["type", "size", "mtime", "mode", "owner", "target", "device", "inode", "ctime"]),
  ),
});

export const stgViewSchema: z.ZodType<StgView> = z.looseObject({
  name: z.string(),
  state: z.enum(["up", "down"]),
  reason: z.string().nullable(),
  hint: z.string().nullable(),
  uuid: z.string().nullable(),
  host: count,
  volumes: z.array(z.string()),
  hosts: z.array(z.looseObject({
    host: count,
    name: z.string(),
    generation: count,
    attached: z.boolean(),
    live: z.boolean().nullable(),
    heartbeatAgeMs: count.nullable(),
    volumes: z.array(z.string()),
    deadMs: count,
    ports: z.array(count),
    endpoints: z.looseObject({ total: count, used: count, quarantined: count }),
    errors: z.looseObject({
      tornFrames: count,
      staleFrames: count,
      damagedFrames: count,
      badBlocks: count,
      cursorsBack: count,
      cursorsBeyond: count,
      framesAsked: count,
      framesSentAgain: count,
    }),
  })),
  connections: z.array(z.looseObject({
    host: count,
    endpoint: count,
    port: count,
    peerHost: count,
    peerEndpoint: count,
    peerPort: count,
    state: z.string(),
    sentBytes: count,
    receivedBytes: count,
    framesInFlight: count.nullable(),
    creditWaits: count,
  })),
  warnings: z.array(z.string()),
});

const trackFigures = {
  reads: count,
  writes: count,
  hits: count,
  misses: count,
  stages: count,
  destages: count,
  evictions: count,
  delayedWrites: count,
  prefetches: count,
  prefetchesUsed: count,
  prefetchesWasted: count,
};
const arrayFigures = { ...trackFigures, readBytes: count, writtenBytes: count };
const arrayWaits = { waits: count, waitMicros: count };

export const arrayViewSchema: z.ZodType<ArrayView> = z.looseObject({
  directory: z.string(),
  uuid: z.string(),
  attached: z.boolean(),
  memory: z.string(),
  missingBoards: z.array(count),
  devices: z.array(z.looseObject({
    name: z.string(),
    sizeBytes: count,
    allocatedBytes: count,
    inCache: count,
    writePending: count,
    damaged: count,
    ...arrayFigures,
  })),
  boards: z.array(z.looseObject({
    board: count,
    slots: count,
    inUse: count,
    writePending: count,
    pendingShare: count,
    repairs: count,
    ...trackFigures,
    ...arrayWaits,
  })),
  hosts: z.array(z.looseObject({
    host: z.string(),
    pid: count,
    attached: z.boolean(),
    ...arrayFigures,
    ...arrayWaits,
  })),
});

/** An error as the endpoint answers it (RFC 9457) with the product's code and hint. */
export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: errorCode,
  hint: z.string().nullable(),
});

export const walPushedSchema: z.ZodType<WalPushed> = z.looseObject({
  outcome: z.enum(["stored", "same"]),
});

export const walPushedOwnSchema: z.ZodType<WalPushedOwn> = z.looseObject({
  outcome: z.enum(["stored", "same", "unlike"]),
});
