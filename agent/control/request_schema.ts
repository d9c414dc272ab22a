// Schemas of what the control endpoint is asked: validation and the OpenAPI document share them.
//
// Pure. Strict: an unknown key in a job request is refused, it might be an option that matters.

import { z } from "zod";
import { fileNameSchema, section } from "../config/mod.ts";
import { isMoment } from "../postgresql/recovery_plan.ts";
import { parseLsn } from "../wal/lsn.ts";
import type { JobRequest } from "./daemon.ts";
import {
  DRILL_ENTRIES,
  MAX_REQUEST_ITEMS,
  MAX_RESTORE_POINT_CHARACTERS,
  MAX_SEED,
  MAX_SUBSETS,
  MAX_TEXT_CHARACTERS,
} from "./limits.ts";

const text = z.string().min(1).max(MAX_TEXT_CHARACTERS);
const texts = z.array(text).max(MAX_REQUEST_ITEMS);

const recoverySchema = section({
  target: z.discriminatedUnion("kind", [
    section({ kind: z.literal("latest") }),
    section({ kind: z.literal("immediate") }),
    section({ kind: z.literal("time"), time: z.string().refine(isMoment) }),
    section({ kind: z.literal("lsn"), lsn: z.string().refine((lsn) => parseLsn(lsn) !== null) }),
    section({ kind: z.literal("name"), name: z.string().min(1).max(MAX_RESTORE_POINT_CHARACTERS) }),
    section({ kind: z.literal("xid"), xid: z.string().regex(/^\d{1,20}$/) }),
  ]),
  timeline: z.string().regex(/^(latest|current|\d{1,10})$/).default("latest"),
});

export const jobRequestSchema: z.ZodType<JobRequest> = z.discriminatedUnion("kind", [
  section({
    kind: z.literal("backup-filesystem"),
    client: text,
    paths: texts.min(1),
    full: z.boolean().default(false),
    exclude: texts.default([]),
    excludeCaches: z.boolean().default(false),
    oneFileSystem: z.boolean().default(false),
    excludeLargerThan: z.int().min(1).nullable().default(null),
    ignoreFile: fileNameSchema.nullable().default(null),
  }),
  section({ kind: z.literal("backup-database"), database: text }),
  section({
    kind: z.literal("restore-filesystem"),
    backup: text,
    target: text,
    client: text.nullable().default(null),
    include: texts.default([]),
    overwrite: z.enum(["refuse", "never", "always", "changed"]).default("refuse"),
    dryRun: z.boolean().default(false),
  }),
  section({
    kind: z.literal("restore-database"),
    backup: text,
    database: text,
    target: text.nullable().default(null),
    tablespaces: z.array(section({ from: text, to: text })).max(MAX_REQUEST_ITEMS).default([]),
    recovery: recoverySchema.nullable().default(null),
  }),
  section({
    kind: z.literal("verify"),
    backups: texts.default([]),
    data: z.boolean().default(false),
    subset: section({ part: z.int().min(1), of: z.int().min(1).max(MAX_SUBSETS) })
      .refine(({ part, of }) => part <= of, "need a part of at most `of`")
      .nullable().default(null),
  }),
  section({
    kind: z.literal("verify-wal"),
    client: text.nullable().default(null),
    database: text.nullable().default(null),
    data: z.boolean().default(false),
  }),
  section({
    kind: z.literal("drill"),
    backup: text.default("latest"),
    sample: z.union([
      section({ entries: z.int().min(1) }),
      section({ percent: z.number().gt(0).max(100) }),
    ]).nullable().default({ entries: DRILL_ENTRIES }),
    seed: z.int().min(0).max(MAX_SEED).nullable().default(null),
    scratch: text.nullable().default(null),
    identityFile: text.nullable().default(null),
  }),
  section({ kind: z.literal("rebuild-catalog") }),
  section({ kind: z.literal("expire"), dryRun: z.boolean().default(false) }),
]);

export const sinceSchema = z.object({
  since: z.coerce.number().int().min(0).optional(),
});

export const loginSchema = section({ token: text });

export const findQuerySchema = z.object({ glob: text });

/** Which cluster a file of a write-ahead log is of: its identifier, decimal. */
export const walQuerySchema = z.object({ system: z.string().regex(/^\d{1,20}$/).optional() });

/** What a file of a write-ahead log is, for a daemon that may see it itself. */
export const walOwnSchema = section({
  bytes: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A path as text, or as `pathBase64` of an entry says its bytes. */
export const pathQuerySchema = z.object({
  path: text.optional(),
  pathBase64: z.base64().min(1).max(MAX_TEXT_CHARACTERS).optional(),
}).refine(({ path, pathBase64 }) => path === undefined || pathBase64 === undefined, {
  message: "need `path` or `pathBase64`, not both",
});
