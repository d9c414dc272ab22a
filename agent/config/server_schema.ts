// Schemas of the keys that only a server's configuration has.

import { z } from "zod";
import { confinementKeys } from "./confinement_schema.ts";
import type { FullEvery } from "./config.ts";
import { refuse, section, showValue } from "./issue_text.ts";
import {
  DEFAULT_WAIT_MS,
  MAX_FULL_EVERY_COUNT,
  MAX_FULL_EVERY_MS,
  MAX_WAIT_MS,
  MIN_FULL_EVERY_MS,
} from "./limits.ts";
import { parseDuration } from "./quantity.ts";
import { retentionSchema } from "./retention_schema.ts";
import { selectionKeys } from "./selection_schema.ts";
import {
  addressSchema,
  connectionsSchema,
  durationSchema,
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
  "jobs",
  "vault",
  "clients",
  "retention",
  "schedules",
  "audit",
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

export const clientEntrySchema = section({
  address: addressSchema,
  port: portSchema,
  stg: nameSchema.optional(),
  channel: z.enum(["prefer-storage", "storage-only", "network-only"]).default("prefer-storage"),
  wait: durationSchema({ minMs: 0, maxMs: MAX_WAIT_MS }).default(DEFAULT_WAIT_MS),
  connections: connectionsSchema,
  full_every: fullEverySchema.optional(),
  ...selectionKeys,
  ...confinementKeys,
  retention: retentionSchema.optional(),
});

export type ClientPart = z.output<typeof clientEntrySchema>;
