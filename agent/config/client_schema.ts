// Schemas of the keys that only a client's configuration has.

import { z } from "zod";
import { refuse, section } from "./issue_text.ts";
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
  "encryption",
  "allow_restore",
  "wal_socket",
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

export const walSocketSchema = section({
  path: pathSchema,
  user: z.string().min(1).max(limits.MAX_NAME_BYTES).default("postgres"),
});

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
/** Bech32 as age writes it; whether it is mistyped is found when the agent starts. */
const RECIPIENT_PATTERN = /^age1[02-9ac-hj-np-z]{40,2500}$/;

/** The text is not shown: it may be a secret key that was put into the wrong place. */
const recipientSchema = z.string().transform((text, context) => {
  if (RECIPIENT_PATTERN.test(text)) return text;
  const secret = text.toUpperCase().startsWith("AGE-SECRET-KEY");
  refuse(
    context,
    `found ${secret ? "a secret key" : "something else"}, need a public key of age (age1…)`,
    "Write the public key that `age-keygen -y IDENTITY_FILE` prints.",
  );
  return z.NEVER;
});

const encryptionFields = section({
  recipients: z.array(recipientSchema).min(1).max(limits.MAX_RECIPIENTS).optional(),
  recipients_file: pathSchema.optional(),
  identity_file: pathSchema.optional(),
});

export const encryptionSchema = encryptionFields.transform((fields, context) => {
  if (Object.values(fields).some((value) => value !== undefined)) return fields;
  refuse(
    context,
    "found nothing in it, need recipients, recipients_file or identity_file",
    "Name the public keys to encrypt for, or leave encryption out.",
  );
  return z.NEVER;
});

export type EncryptionFields = z.output<typeof encryptionFields>;

export type DatabasePart = z.output<typeof databaseEntrySchema>;
