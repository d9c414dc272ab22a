// Schemas of the keys that only a server's configuration has.

import { z } from "zod";
import { ExcludeRules } from "../application/filesystem/exclude_rules.ts";
import type { FullEvery } from "./config.ts";
import { refuse, section, showValue } from "./issue_text.ts";
import {
  DEFAULT_WAIT_MS,
  MAX_EXCLUDE_RULES,
  MAX_FULL_EVERY_COUNT,
  MAX_FULL_EVERY_MS,
  MAX_PATH_BYTES,
  MAX_WAIT_MS,
  MIN_FULL_EVERY_MS,
} from "./limits.ts";
import { parseDuration, parseSize } from "./quantity.ts";
import { retentionSchema } from "./retention_schema.ts";
import {
  addressSchema,
  connectionsSchema,
  durationSchema,
  fileNameSchema,
  nameSchema,
  portSchema,
} from "./shared_schema.ts";

export const SERVER_KEYS = [
  "name",
  "network",
  "control",
  "control_token",
  "tls",
  "stgs",
  "vault",
  "clients",
  "retention",
] as const;

/** A duration or a count, told apart by the unit: `30d`, or 7 for every seventh backup. */
const fullEverySchema = z.union([z.string(), z.number()], {
  error: () => "need a duration or a count",
}).transform((value, context): FullEvery => {
  if (typeof value === "number") {
    if (Number.isInteger(value) && value >= 1 && value <= MAX_FULL_EVERY_COUNT) {
      return { kind: "count", count: value };
    }
  } else {
    const ms = parseDuration(value);
    if (ms !== null && ms >= MIN_FULL_EVERY_MS && ms <= MAX_FULL_EVERY_MS) {
      return { kind: "time", ms };
    }
  }
  refuse(
    context,
    `found ${showValue(value)}, need a duration of 1h to 3650d, or 1 to ${MAX_FULL_EVERY_COUNT}`,
    "Write 30d for one full backup a month, or 7 for every seventh backup.",
  );
  return z.NEVER;
});

/** A rule of what a backup leaves out. */
const ruleSchema = z.string().max(MAX_PATH_BYTES).transform((text, context) => {
  const [bad] = new ExcludeRules([new TextEncoder().encode(text)]).bad;
  if (bad === undefined) return text;
  refuse(
    context,
    `found ${showValue(text)} with ${bad.found}, need a rule as in .gitignore`,
    'Write a name, as "*.tmp", or a path from "/" on, as "/srv/**/cache/".',
  );
  return z.NEVER;
});

const sizeSchema = z.union([z.string(), z.number()], { error: () => "need a size" }).transform(
  (value, context) => {
    const bytes = typeof value === "string" ? parseSize(value) : value;
    if (bytes !== null && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
    refuse(context, `found ${showValue(value)}, need a size`, "Write for example 100MiB.");
    return z.NEVER;
  },
);

export const clientEntrySchema = section({
  address: addressSchema,
  port: portSchema,
  stg: nameSchema.optional(),
  channel: z.enum(["prefer-storage", "storage-only", "network-only"]).default("prefer-storage"),
  wait: durationSchema({ minMs: 0, maxMs: MAX_WAIT_MS }).default(DEFAULT_WAIT_MS),
  connections: connectionsSchema,
  full_every: fullEverySchema.optional(),
  exclude: z.array(ruleSchema).max(MAX_EXCLUDE_RULES).default([]),
  exclude_caches: z.boolean().default(false),
  one_file_system: z.boolean().default(false),
  exclude_larger_than: sizeSchema.nullable().default(null),
  ignore_file: fileNameSchema.nullable().default(null),
  retention: retentionSchema.optional(),
});

export type ClientPart = z.output<typeof clientEntrySchema>;
