// Schemas of the keys that only a server's configuration has.

import { z } from "zod";
import { section } from "./issue_text.ts";
import { DEFAULT_WAIT_MS, MAX_WAIT_MS } from "./limits.ts";
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
  "vault",
  "clients",
] as const;

export const clientEntrySchema = section({
  address: addressSchema,
  port: portSchema,
  stg: nameSchema.optional(),
  channel: z.enum(["prefer-storage", "storage-only", "network-only"]).default("prefer-storage"),
  wait: durationSchema({ minMs: 0, maxMs: MAX_WAIT_MS }).default(DEFAULT_WAIT_MS),
  connections: connectionsSchema,
});

export type ClientPart = z.output<typeof clientEntrySchema>;
