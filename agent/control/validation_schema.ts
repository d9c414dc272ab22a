// The schema of what validating a client found.
//
// Pure. Loose: a newer daemon may add keys.

import { z } from "zod";
import type { ValidationView } from "./daemon.ts";

export const validationViewSchema: z.ZodType<ValidationView> = z.looseObject({
  client: z.string(),
  policy: z.enum(["prefer-storage", "storage-only", "network-only"]),
  ok: z.boolean(),
  version: z.string(),
  clientVersion: z.string().nullable(),
  // An earlier daemon does not say.
  clockAheadMs: z.number().nullable().default(null),
  seconds: z.number().min(0),
  channels: z.array(z.looseObject({
    channel: z.enum(["network", "storage"]),
    usable: z.boolean(),
    reason: z.string().nullable(),
    detail: z.string(),
    stg: z.string().nullable(),
  })),
});
