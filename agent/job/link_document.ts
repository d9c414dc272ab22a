// Documents that the two sides of a job exchange beside the records: what to do, how it goes, how
// it ended. Each is checked when it arrives; byte strings (paths) travel as base64.

import { z } from "zod";
import {
  AgentError,
  ERROR_CODES,
  FALLBACK_CODES,
  SECRET_BYTES,
  STREAMS_MAX,
  TOKEN_BYTES,
} from "../../transport/mod.ts";
import { MAX_PATH_BYTES } from "../tar/mod.ts";
import {
  CALL_LENGTH_MAX,
  CODE_LENGTH_MAX,
  DETAIL_LENGTH_MAX,
  REDIRECTS_MAX,
  ROW_BYTES_MAX,
  SOURCE_ITEMS_MAX,
  STEP_LENGTH_MAX,
  TEXT_LENGTH_MAX,
  TRACE_STEPS_MAX,
  VERDICTS_BYTES_MAX,
  WAL_NAME_LENGTH_MAX,
  WARNING_PATH_BYTES_MAX,
} from "./limits.ts";

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Up to so many bytes. */
const bytes = (max: number) => z.base64().max(4 * Math.ceil(max / 3));
const row = bytes(ROW_BYTES_MAX);
const text = z.string().max(TEXT_LENGTH_MAX);
const path = z.string().min(1).max(64 * 1024);
const decimal = z.string().regex(/^\d{1,20}$/);
/** A position in a write-ahead log, as PostgreSQL writes it. */
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const totals = { totalFiles: count.nullable(), totalBytes: count.nullable() };

const error = z.object({
  code: z.enum([...ERROR_CODES, "internal"]),
  message: text,
  hint: text.optional(),
});

const step = z.object({
  figure: z.enum(["4", "4A", "5"]),
  side: z.enum(["server", "client"]),
  step: z.string().max(STEP_LENGTH_MAX),
  call: z.string().max(CALL_LENGTH_MAX),
  atMs: z.number(),
  skipped: z.boolean(),
});

/** Parallel streams of a database; an earlier version has one. */
const streamCount = z.number().int().min(1).max(STREAMS_MAX);
const streams = streamCount.default(1);
const streamIndex = z.number().int().min(0).max(STREAMS_MAX - 1);

const memberPath = bytes(MAX_PATH_BYTES);
const redirects = z.array(z.object({ member: memberPath, writeAs: memberPath }))
  .max(REDIRECTS_MAX);

/** Why the storage is not used, or not any more. */
const fallback = { reason: z.enum(FALLBACK_CODES), detail: z.string().max(DETAIL_LENGTH_MAX) };

/** Which channel carries the records: the server decides, and tells before the first. */
const channel = {
  channel: z.enum(["storage", "network"]),
  /** Null when the storage is used, or the policy wants the network. */
  fallback: z.object(fallback).nullable(),
  /** False when the policy forbids the network: the loss of the storage ends the job. */
  mayFallBack: z.boolean(),
};

/** What a client can go on with of a backup that was cut. */
const CUT_ANSWERS = ["no", "before-member", "in-member"] as const;
export type CutAnswer = typeof CUT_ANSWERS[number];

const document = z.discriminatedUnion("type", [
  // Server to client: back up these paths.
  z.object({
    type: z.literal("backup-filesystem"),
    ...channel,
    paths: z.array(path).min(1).max(SOURCE_ITEMS_MAX),
    exclude: z.array(path).max(SOURCE_ITEMS_MAX),
    // A client of an earlier version knows nothing of these: see SELECTION_VERSION.
    excludeCaches: z.boolean().default(false),
    oneFileSystem: z.boolean().default(false),
    excludeLargerThan: count.nullable().default(null),
    ignoreFile: path.nullable().default(null),
    /** Id of the backup; an earlier version does not say. */
    backup: path.nullable().default(null),
    /** True: only what differs from the parent, whose rows the client asks for. */
    incremental: z.boolean().default(false),
    /** What the last full backup had, for the progress bar; null: the client counts. */
    expected: z.object({ files: count, bytes: count }).nullable().default(null),
    /** Where it goes on with a backup that was cut, as the client said; see RESUME_VERSION. */
    resume: z.object({
      /** Tar bytes that are there already. */
      tarOffset: count,
      /** The row of the member in which they end, when one is open there. */
      openMember: row.nullable(),
    }).nullable().default(null),
  }),
  // Server to client, before that: a backup that was cut is here; can it be gone on with?
  z.object({
    type: z.literal("cut-offer"),
    /** The member in which it was cut: its row, and the offset from which the rest is wanted. */
    openMember: z.object({ row, tarOffset: count }).nullable(),
  }),
  // Client to server: the answer; a member that is open changed, when it is "before".
  z.object({ type: z.literal("cut-answer"), goesOn: z.enum(CUT_ANSWERS) }),
  // Client to server: send these rows, of the parent of a backup or of a survey.
  z.object({ type: z.literal("parent-wanted"), index: count }),
  // Server to client: write the records that follow below `target`.
  z.object({
    type: z.literal("restore-filesystem"),
    ...channel,
    target: path,
    overwrite: z.enum(["refuse", "never", "always"]),
    redirects,
    ...totals,
  }),
  // Server to client: rows come when you ask for them; say what a restore does with each. Unless it
  // is a dry run, the records that you need follow then: no other document comes before them, for
  // it could come after the first record, on another connection.
  z.object({
    type: z.literal("survey-filesystem"),
    ...channel,
    target: path,
    overwrite: z.enum(["refuse", "never", "always", "changed"]),
    dryRun: z.boolean(),
    redirects,
    ...totals,
  }),
  // Client to server: a byte for each row of this chunk, its position in VERDICTS.
  z.object({ type: z.literal("verdicts"), index: count, verdicts: bytes(VERDICTS_BYTES_MAX) }),
  // Client to server: those were the last, and of so many warnings the server must hear.
  z.object({ type: z.literal("surveyed"), warnings: count }),
  // Server to client: tell whether the channels work on your side; nothing follows.
  z.object({
    type: z.literal("validate"),
    /** True when the storage channel works on the server's side. */
    storage: z.boolean(),
  }),
  // Client to server: the answer. Why the storage channel does not work here, or null.
  z.object({
    type: z.literal("validated"),
    version: z.string().max(64),
    storage: z.object(fallback).nullable(),
    /** What the client's clock shows; an earlier version does not say. */
    wallMs: count.optional(),
  }),
  // Client to server: store the records that follow as a backup of this database.
  z.object({
    type: z.literal("backup-database"),
    database: path,
    kind: z.enum(["sqlite", "postgresql", "command"]),
    path,
    streams,
  }),
  // Client to server: send the records of this backup of the database.
  z.object({ type: z.literal("restore-database"), database: path, backup: path, streams }),
  // Server to client: the records of the database follow.
  z.object({
    type: z.literal("restore-start"),
    backup: path,
    streams,
    ...totals,
    /** Of a PostgreSQL cluster: where its log stood when the backup ended, if that is known. */
    range: z.object({ system: decimal, stopLsn: lsn, stopMs: count }).nullable().default(null),
  }),
  // Client to server: the backup that is written now; the answer to a backup-database.
  z.object({ type: z.literal("started"), backup: path, streams: streamCount.optional() }),
  // Client to server: where the STP connection of the next stream is to be made.
  z.object({
    type: z.literal("stream-port"),
    host: z.number().int().min(1).max(0xffff),
    port: z.number().int().min(1).max(0xffff),
    token: z.hex().length(2 * TOKEN_BYTES),
    secret: z.hex().length(2 * SECRET_BYTES).optional(),
  }),
  // Client to server: so many more records of this stream may come, counted from 0.
  z.object({ type: z.literal("stream-wanted"), stream: streamIndex, records: count }),
  // Server to client: so many records were all of this stream.
  z.object({ type: z.literal("stream-end"), stream: streamIndex, records: count }),
  // Client to server: this connection is for the write-ahead log of this database, until it ends.
  z.object({ type: z.literal("archive-wal"), database: path }),
  // Server to client: it may ask, one thing after the other.
  z.object({ type: z.literal("wal-ready") }),
  // Client to server: keep this file; so many bytes of it follow in pieces, as one zstd frame.
  z.object({
    type: z.literal("wal-push"),
    system: decimal,
    name: z.string().max(WAL_NAME_LENGTH_MAX),
    bytes: count,
    compressedBytes: count,
  }),
  // Server to client: it is durable, or was so before.
  z.object({ type: z.literal("wal-pushed"), outcome: z.enum(["stored", "same"]) }),
  // Client to server: send this file of that cluster, or of the only one that there is.
  z.object({
    type: z.literal("wal-get"),
    system: decimal.nullable(),
    name: z.string().max(WAL_NAME_LENGTH_MAX),
  }),
  // Server to client: so many bytes of it follow in pieces, as one zstd frame.
  z.object({ type: z.literal("wal-file"), compressedBytes: count }),
  // Server to client: it was looked for, and is not there.
  z.object({ type: z.literal("wal-absent") }),
  // Server to client: what was asked for failed; the next may follow.
  z.object({ type: z.literal("wal-refused"), error }),
  // Client to server, before the end of a backup: the range of the log that it needs.
  z.object({
    type: z.literal("wal-range"),
    system: decimal,
    timeline: count,
    startLsn: lsn,
    stopLsn: lsn,
    stopMs: count,
    segmentBytes: count,
    /** True when the cluster's log goes to this archive: the backup is complete with it only. */
    archived: z.boolean(),
  }),
  // Both: the connection steps of this side, for the other side's ladder.
  z.object({ type: z.literal("trace"), steps: z.array(step).max(TRACE_STEPS_MAX) }),
  z.object({
    type: z.literal("progress"),
    phase: z.enum(["scanning", "reading", "writing"]),
    files: count,
    bytes: count,
    ...totals,
  }),
  z.object({
    type: z.literal("warning"),
    code: z.string().max(CODE_LENGTH_MAX),
    message: text,
    path: bytes(WARNING_PATH_BYTES_MAX).nullable(),
    /** True when the backup lacks something because of it. */
    incomplete: z.boolean(),
  }),
  // Both: this side is there; `busy` when it will be silent until its next word.
  z.object({ type: z.literal("alive"), busy: z.boolean() }),
  // Both, on each network connection: the job succeeded here, and nothing follows.
  z.object({ type: z.literal("bye") }),
  // No more of them follow; the last ones may still be on their way on another connection.
  z.object({
    type: z.literal("end"),
    records: count,
    warnings: count.optional(),
    /** Members that a restore leaves out, for damage to the media. */
    lost: count.optional(),
    /** What the sender counts, where that is not what the records hold. */
    totals: z.object({ files: count, bytes: count }).optional(),
    /** How much of that was there already, from a backup that was cut. */
    kept: z.object({ files: count, bytes: count }).optional(),
  }),
  // From the receiver of records: how many are here, and how many of them safe on disk.
  z.object({ type: z.literal("cursor"), received: count, synced: count.nullable() }),
  // From the sender of records: the storage channel is lost, where shall it go on?
  z.object({ type: z.literal("storage-lost"), ...fallback }),
  // From the receiver of records: go on over the network after this many.
  z.object({ type: z.literal("fall-back"), received: count, ...fallback }),
  // The side that finished the job tells how, and of how many warnings the other side must hear.
  z.object({
    type: z.literal("result"),
    warnings: count.optional(),
    backup: path.nullable(),
    status: z.enum(["ok", "incomplete"]),
    files: count,
    bytes: count,
  }),
  z.object({ type: z.literal("error"), error }),
]);

export type LinkDocument = z.infer<typeof document>;

/** @throws AgentError `damaged` naming the first key that is wrong */
export function decodeDocument(payload: Uint8Array): LinkDocument {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    const message = "Cannot read from the job's peer: found no JSON, need a document";
    throw new AgentError("damaged", message);
  }
  const parsed = document.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AgentError(
    "damaged",
    `Cannot read from the job's peer: "${issue?.path.join(".") ?? ""}": ${issue?.message ?? "?"}`,
  );
}

export function encodeDocument(value: LinkDocument): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
