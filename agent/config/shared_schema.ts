// Schemas of the keys that server and client have in common: name, network, control, tls, stgs.
//
// Pure. Texts become numbers here (sizes, durations, port ranges); paths stay as they were
// written, because only the loader knows the file that they are relative to.

import { z } from "zod";
import { parseControlAddress } from "./control_address.ts";
import { refuse, section, showValue } from "./issue_text.ts";
import * as limits from "./limits.ts";
import { parseDuration } from "./quantity.ts";

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const ADDRESS_PATTERN = /^[A-Za-z0-9:._%-]+$/;

/** Names become parts of file names and of STG blocks. */
export const nameSchema = z.string().transform((text, context) => {
  if (NAME_PATTERN.test(text) && text.length <= limits.MAX_NAME_BYTES) return text;
  refuse(
    context,
    `found ${showValue(text)}, need 1 to ${limits.MAX_NAME_BYTES} letters, digits, ".", "_" or "-"`,
    "Start the name with a letter or digit.",
  );
  return z.NEVER;
});

/** Checks the name that is a key of a map, where no schema can sit. */
export function isName(text: string): boolean {
  return NAME_PATTERN.test(text) && text.length <= limits.MAX_NAME_BYTES;
}

export const portSchema = z.int().min(1).max(65535);

export const addressSchema = z.string().max(limits.MAX_ADDRESS_BYTES).transform((text, context) => {
  if (ADDRESS_PATTERN.test(text)) return text;
  refuse(
    context,
    `found ${showValue(text)}, need a host name or an IP address`,
    "Write the port under its own key.",
  );
  return z.NEVER;
});

export const pathSchema = z.string().min(1).max(limits.MAX_PATH_BYTES).transform(
  (text, context) => {
    if (!text.includes("\0")) return text;
    refuse(context, "found a NUL character, need a path", "Remove the NUL character.");
    return z.NEVER;
  },
);

/** One name within a directory. */
export const fileNameSchema = z.string().min(1).max(limits.MAX_FILE_NAME_BYTES).transform(
  (text, context) => {
    if (!/[/\0]/.test(text) && text !== "." && text !== "..") return text;
    refuse(context, `found ${showValue(text)}, need a name`, "Leave out the directory.");
    return z.NEVER;
  },
);

/** A duration in `minMs..maxMs` as milliseconds. */
export function durationSchema(range: { readonly minMs: number; readonly maxMs: number }) {
  return z.union([z.string(), z.number()], {
    error: (issue) => issue.input === undefined ? undefined : "need a duration",
  }).transform((value, context) => {
    const ms = typeof value === "string" ? parseDuration(value) : null;
    if (ms !== null && ms >= range.minMs && ms <= range.maxMs) return ms;
    refuse(
      context,
      `found ${showValue(value)}, need a duration of ${range.minMs}ms to ${range.maxMs / 1000}s`,
      "Write a number with its unit, for example 5s.",
    );
    return z.NEVER;
  });
}

const dynamicSchema = z.string().transform((text, context) => {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  const fits = match !== null && first >= limits.MIN_DYNAMIC_PORT && last <= 65535 &&
    last - first + 1 >= limits.MIN_DYNAMIC_PORTS;
  if (fits) return { first, last };
  refuse(
    context,
    `found ${showValue(text)}, need a range of at least ${limits.MIN_DYNAMIC_PORTS} ports ` +
      `within ${limits.MIN_DYNAMIC_PORT}-65535`,
    "Write the first and the last port, for example 49152-65535.",
  );
  return z.NEVER;
});

export const networkSchema = section({
  listen: addressSchema.default("127.0.0.1"),
  port: portSchema,
  dynamic: dynamicSchema.nullable().default(null),
});

export const controlSchema = z.string().transform((text, context) => {
  const address = parseControlAddress(text);
  if (address !== null) return address;
  refuse(
    context,
    `found ${showValue(text)}, need unix:PATH or http://HOST:PORT`,
    "Write for example unix:run/agent.sock.",
  );
  return z.NEVER;
});

export const tlsSchema = section({
  ca: pathSchema,
  cert: pathSchema,
  key: pathSchema,
  revoked: pathSchema.optional(),
});

export const stgSchema = section({
  name: nameSchema,
  host: z.int().min(1).max(limits.MAX_HOST_ID),
  array: pathSchema.optional(),
  volumes: z.array(pathSchema).min(1).max(limits.MAX_VOLUMES),
  heartbeat: durationSchema({ minMs: limits.MIN_HEARTBEAT_MS, maxMs: limits.MAX_DEAD_TIME_MS })
    .default(limits.DEFAULT_HEARTBEAT_MS),
  dead_time: durationSchema({ minMs: limits.MIN_HEARTBEAT_MS, maxMs: limits.MAX_DEAD_TIME_MS })
    .default(limits.DEFAULT_DEAD_TIME_MS),
  encrypt: z.boolean().default(false),
});

export const jobsSchema = section({
  max_running: z.int().min(1).max(limits.MAX_RUNNING).default(limits.DEFAULT_MAX_RUNNING),
  max_queued: z.int().min(0).max(limits.MAX_QUEUED).default(limits.DEFAULT_MAX_QUEUED),
}).prefault({});

export const connectionsSchema = z.literal([1, 2]).default(2);

export type NetworkPart = z.output<typeof networkSchema>;
export type StgPart = z.output<typeof stgSchema>;
