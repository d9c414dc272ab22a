// The schema of what a verification of archived logs finds. Pure. Loose: a newer daemon may add
// keys.

import { z } from "zod";
import type { WalArchivePart, WalStatusView } from "./wal_report_view.ts";

const count = z.number().min(0);

export const walArchivePartSchema: z.ZodType<WalArchivePart> = z.looseObject({
  type: z.literal("wal-archives"),
  job: z.string(),
  items: z.array(z.looseObject({
    type: z.literal("archive"),
    client: z.string(),
    database: z.string(),
    system: z.string(),
    files: count,
    bytes: count,
    timelines: z.array(z.looseObject({
      timeline: count,
      segments: count,
      ranges: z.array(z.looseObject({ first: z.string(), last: z.string(), segments: count })),
      gaps: count,
    })),
    backups: z.array(z.looseObject({
      backup: z.string(),
      timeline: count,
      reaches: z.array(z.looseObject({
        timeline: count,
        endLsn: z.string(),
        missing: z.string().nullable(),
      })),
    })),
    findings: z.array(z.string()),
  })),
});

export const walStatusSchema: z.ZodType<WalStatusView> = z.looseObject({
  client: z.string(),
  database: z.string(),
  system: z.string(),
  files: count,
  bytes: count,
  first: z.string().nullable(),
  last: z.string().nullable(),
  newest: z.string().nullable(),
  newestAgeSeconds: count.nullable(),
});
