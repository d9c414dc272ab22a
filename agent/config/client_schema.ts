// Schemas of the keys that only a client's configuration has.

import { z } from "zod";
import { section } from "./issue_text.ts";
import * as limits from "./limits.ts";
import {
  addressSchema,
  connectionsSchema,
  durationSchema,
  nameSchema,
  pathSchema,
  portSchema,
} from "./shared_schema.ts";

export const CLIENT_KEYS = [
  "name",
  "network",
  "control",
  "control_token",
  "tls",
  "stgs",
  "jobs",
  "server",
  "databases",
  "schedules",
  "state",
  "spool",
  "compression",
  "hooks",
  "allow_restore",
] as const;

export const DEFAULT_SPOOL = "/var/tmp";
export const DEFAULT_STATE = "/var/lib/agent";

export const serverEntrySchema = section({
  name: nameSchema.optional(),
  address: addressSchema,
  port: portSchema,
  connections: connectionsSchema,
});

const commandSchema = z.array(z.string().max(limits.MAX_COMMAND_WORD_BYTES)).min(1)
  .max(limits.MAX_COMMAND_WORDS);

export const databaseEntrySchema = z.discriminatedUnion("kind", [
  section({ kind: z.literal("sqlite"), path: pathSchema }),
  section({
    kind: z.literal("postgresql"),
    data: pathSchema,
    socket: pathSchema.default("/var/run/postgresql"),
    port: portSchema.default(5432),
    user: z.string().min(1).max(limits.MAX_NAME_BYTES).default("postgres"),
  }),
  section({ kind: z.literal("command"), backup: commandSchema, restore: commandSchema }),
]);

const timeoutSchema = durationSchema({
  minMs: limits.MIN_HOOK_TIMEOUT_MS,
  maxMs: limits.MAX_HOOK_TIMEOUT_MS,
}).default(limits.DEFAULT_HOOK_TIMEOUT_MS);

const failureSchema = z.enum(["fail", "warn"]);

export const hooksSchema = section({
  pre: section({
    command: commandSchema,
    timeout: timeoutSchema,
    on_failure: failureSchema.default("fail"),
  }).optional(),
  // What is published stays published, so that a warning is what is left by default.
  post: section({
    command: commandSchema,
    timeout: timeoutSchema,
    on_failure: failureSchema.default("warn"),
  }).optional(),
});

export const compressionSchema = section({
  level: z.int().min(limits.MIN_COMPRESSION_LEVEL).max(limits.MAX_COMPRESSION_LEVEL)
    .default(limits.DEFAULT_COMPRESSION_LEVEL),
});

export type HooksPart = z.output<typeof hooksSchema>;
export type DatabasePart = z.output<typeof databaseEntrySchema>;
