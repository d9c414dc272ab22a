// Schemas of `schedules:`, and the rules between a schedule and the rest of its file. Pure.
//
// A server's schedules back up files of its clients, expire, verify and drill; a client's back up
// its databases, since the client initiates those.

import { z } from "zod";
import { normalizeSourcePaths } from "../application/mod.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { cronProblem, isTimeZone } from "../schedule/calendar.ts";
import { DRILL_ENTRIES } from "../control/limits.ts";
import { CRON_LENGTH_MAX, PARTS_MAX, TIME_ZONE_LENGTH_MAX } from "../schedule/limits.ts";
import { closestName } from "./closest_name.ts";
import type { ScheduleEntry, ScheduleTask } from "./config.ts";
import { refuse, section, showValue } from "./issue_text.ts";
import { MAX_SCHEDULE_ITEMS } from "./limits.ts";
import { parseSample, type Sample } from "./quantity.ts";
import type { ReadPart, ReadParts, SectionReader } from "./section_reader.ts";
import { readSelection, selectionKeys } from "./selection_schema.ts";
import { nameSchema, pathSchema } from "./shared_schema.ts";

const cronSchema = z.string().max(CRON_LENGTH_MAX).transform((text, context) => {
  const problem = cronProblem(text);
  if (problem === null) return text;
  refuse(
    context,
    `found ${showValue(text)} (${problem}), need five fields of cron, or a word such as @daily`,
    'Write for example "30 2 * * *": minute, hour, day of month, month, day of week.',
  );
  return z.NEVER;
});

const timeZoneSchema = z.string().max(TIME_ZONE_LENGTH_MAX).transform((text, context) => {
  if (isTimeZone(text)) return text;
  refuse(
    context,
    `found ${showValue(text)}, need a name of the time zone database`,
    "Write for example Europe/Berlin, or leave the key out for UTC.",
  );
  return z.NEVER;
});

const when = {
  cron: cronSchema,
  time_zone: timeZoneSchema.default("UTC"),
  catch_up: z.boolean().default(true),
};

export const clientBackupSchema = section({
  kind: z.literal("backup"),
  client: nameSchema,
  paths: z.array(pathSchema).min(1).max(MAX_SCHEDULE_ITEMS).superRefine((paths, context) =>
    refuseUsage(context, () => normalizeSourcePaths(paths))
  ),
  ...selectionKeys,
  full: z.boolean().default(false),
  ...when,
});

export const expireSchema = section({ kind: z.literal("expire"), ...when });

export const verifySchema = section({
  kind: z.literal("verify"),
  data: z.boolean().default(false),
  parts: z.int().min(1).max(PARTS_MAX).default(1),
  ...when,
});

/** As of `agent drill --sample`, or `all`. */
const sampleSchema = z.union([z.string(), z.number()], {
  error: () => "need a count, a share or all",
}).transform((value, context): Sample | null => {
  if (value === "all") return null;
  const sample = parseSample(String(value));
  if (sample !== null) return sample;
  refuse(
    context,
    `found ${showValue(value)}, need a count, a share or all`,
    "Write 500 for entries, 5% for a share of them, or all.",
  );
  return z.NEVER;
});

export const drillSchema = section({
  kind: z.literal("drill"),
  client: nameSchema.optional(),
  database: nameSchema.optional(),
  sample: sampleSchema.prefault(DRILL_ENTRIES),
  scratch: pathSchema.optional(),
  identity_file: pathSchema.optional(),
  ...when,
});

const databaseBackupSchema = section({
  kind: z.literal("backup").default("backup"),
  database: nameSchema,
  ...when,
});

type ServerPart =
  | z.output<typeof clientBackupSchema>
  | z.output<typeof expireSchema>
  | z.output<typeof verifySchema>
  | z.output<typeof drillSchema>;

/** Without a kind a schedule is one of backups. */
export const serverScheduleSchema: z.ZodType<ServerPart> = z.preprocess(
  withKind,
  z.discriminatedUnion("kind", [clientBackupSchema, expireSchema, verifySchema, drillSchema]),
);

export const clientScheduleSchema = databaseBackupSchema;

type ClientPart = z.output<typeof clientScheduleSchema>;

/** Schedules refer to clients that exist. */
export function checkServerSchedules(
  reader: SectionReader,
  schedules: ReadParts<ServerPart>,
  clients: ReadParts<unknown>,
): void {
  for (const { path, value } of schedules.parts) {
    if (value.kind !== "backup" && value.kind !== "drill") continue;
    const { client } = value;
    if (client === undefined) continue;
    checkName(reader, [...path, "client"], client, clients);
    if (value.kind === "backup" || value.database === undefined) continue;
    const hint = "Leave one of them out.";
    reader.refuse([...path, "database"], "found both client and database, need one", hint);
  }
}

/** Schedules refer to databases that exist. */
export function checkClientSchedules(
  reader: SectionReader,
  schedules: ReadParts<ClientPart>,
  databases: ReadParts<unknown>,
): void {
  for (const { path, value } of schedules.parts) {
    checkName(reader, [...path, "database"], value.database, databases);
  }
}

/** Where a schedule stands. */
export interface Surroundings {
  /** Names of the file's clients. */
  readonly clients: readonly string[];
  readonly absolute: (path: string) => string;
}

export function serverSchedule(
  { key, value }: ReadPart<ServerPart>,
  around: Surroundings,
): ScheduleEntry {
  return { ...whenOf(key, value), task: serverTask(value, around) };
}

export function clientSchedule({ key, value }: ReadPart<ClientPart>): ScheduleEntry {
  const { database } = value;
  return { ...whenOf(key, value), task: { kind: "backup-database", database } };
}

function serverTask(part: ServerPart, around: Surroundings): ScheduleTask {
  if (part.kind === "expire") return { kind: "expire" };
  if (part.kind === "verify") return { kind: "verify", data: part.data, parts: part.parts };
  if (part.kind === "drill") return drillTask(part, around);
  const { client, paths, full } = part;
  return { kind: "backup-filesystem", client, paths, full, ...readSelection(part) };
}

function drillTask(
  { client, database, sample, scratch, identity_file }: z.output<typeof drillSchema>,
  { clients, absolute }: Surroundings,
): ScheduleTask {
  const one = client === undefined ? [] : [client];
  return {
    kind: "drill",
    clients: client === undefined && database === undefined ? clients : one,
    database: database ?? null,
    sample,
    scratch: scratch === undefined ? null : absolute(scratch),
    identityFile: identity_file === undefined ? null : absolute(identity_file),
  };
}

function whenOf(name: string, part: ServerPart | ClientPart): Omit<ScheduleEntry, "task"> {
  return { name, cron: part.cron, timeZone: part.time_zone, catchUp: part.catch_up };
}

function withKind(value: unknown): unknown {
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  return isMap && !("kind" in value) ? { kind: "backup", ...value } : value;
}

function checkName(
  reader: SectionReader,
  path: readonly (string | number)[],
  name: string,
  among: ReadParts<unknown>,
): void {
  const known = among.parts.map(({ key }) => key);
  if (!among.whole || known.includes(name)) return;
  const near = closestName(name, known);
  const where = path.at(-1) === "client" ? "clients" : "databases";
  reader.refuse(
    path,
    `found "${name}", need a name under ${where}`,
    near === null ? `Define it under ${where}.` : `Did you mean "${near}"?`,
  );
}

/** What the job would refuse at night is refused now. */
function refuseUsage(context: z.RefinementCtx, body: () => unknown): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    refuse(context, error.message, error.hint ?? "");
  }
}
