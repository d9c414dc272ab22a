// The sending half of a backup, on the client: pulls frames from an application's producer, has
// some compressed, and encrypted if so configured, at once, sends them in order, and lets the event
// loop run in between; then waits until the server has published.

import { AgentError, freeBytes, fromErrorRecord } from "../../transport/mod.ts";
import { type ApplicationWarning, makesIncomplete, type Producer } from "../application/mod.ts";
import type { FrameSealer } from "../encryption/mod.ts";
import {
  FramesInWork,
  framesInWork,
  type JobLink,
  type LinkDocument,
  sendForResult,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { compressFrameAside } from "../media/mod.ts";
import type { DataRecord, TarFrame } from "../record.ts";
import type { ParentInbox } from "./parent_inbox.ts";

export interface SendBackupOptions {
  readonly link: JobLink;
  /** Warnings that the producer has collected since the last call. */
  readonly warnings: WarningQueue;
  /** Where the producer takes the parent's rows from; null for a full backup. */
  readonly parent: ParentInbox | null;
  /** Makes ready what is to be sent; ends early by its signal. */
  readonly prepare: (signal: AbortSignal) => Promise<PreparedBackup>;
}

export interface PreparedBackup {
  readonly producer: Producer;
  readonly totals: { readonly totalFiles: number | null; readonly totalBytes: number | null };
  /** To be awaited when the producer gives null; else it is the parent that it waits for. */
  readonly ready?: (() => Promise<void>) | undefined;
  /** Once the producer is done: the range of its write-ahead log that the backup needs. */
  readonly range?: (() => LogRange | null) | undefined;
  /** zstd level. */
  readonly level: number;
  /** Null sends plain frames. */
  readonly sealer: FrameSealer | null;
}

export type LogRange = Omit<Extract<LinkDocument, { type: "wal-range" }>, "type">;

type QueuedWarning = Omit<Extract<LinkDocument, { type: "warning" }>, "type">;

/** Warnings on their way to the server: the producer is synchronous, sending is not. */
export class WarningQueue {
  #warnings: QueuedWarning[] = [];
  #sent = 0;

  /** Warnings that the peer has been sent: it waits for as many. */
  get sent(): number {
    return this.#sent;
  }

  readonly add = ({ code, message, path }: ApplicationWarning): void => {
    const incomplete = makesIncomplete(code);
    this.#warnings.push({ code, message, path: path.toBase64(), incomplete });
  };

  /** Of what has no path, and leaves nothing out. */
  addPlain(code: string, message: string): void {
    this.#warnings.push({ code, message, path: null, incomplete: false });
  }

  async sendAll(link: JobLink): Promise<void> {
    const warnings = this.#warnings;
    this.#warnings = [];
    for (const warning of warnings) {
      await link.send({ type: "warning", ...warning });
      this.#sent += 1;
    }
  }
}

type Result = Extract<LinkDocument, { type: "result" }>;

/**
 * Sends everything that the prepared producer makes.
 * @throws AgentError what the producer or the server reports, `reset`, `cancelled`
 */
export async function sendBackup(
  session: WorkerSession,
  options: SendBackupOptions,
): Promise<WorkerResult> {
  const { link, parent } = options;
  const { backup, status, files, bytes } = await sendForResult(
    { clock: session.runtime.clock, result: awaitResult(session, link, parent) },
    async (signal) => {
      const prepared = await options.prepare(AbortSignal.any([signal, session.signal]));
      try {
        await sendRecords(session, prepared, { ...options, signal });
      } finally {
        prepared.producer.return({ files: 0, bytes: 0 });
      }
    },
  );
  return { backup, status, files, bytes };
}

async function sendRecords(
  session: WorkerSession,
  { producer, totals, ready, range, ...how }: PreparedBackup,
  options: SendBackupOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { link, warnings, signal, parent } = options;
  await link.send({ type: "progress", phase: "reading", files: 0, bytes: 0, ...totals });
  const { clock, process } = session.runtime;
  const inWork = new FramesInWork<DataRecord>(framesInWork(process.processors));
  const sent = { records: 0, files: 0, bytes: 0 };
  const sendOldest = async () => {
    const record = await inWork.take();
    const release = () => freeBytes(record.frame);
    await link.sendData(record, { signal, lane: record.lane, release });
    sent.records += 1;
    sent.files += record.rowCount;
    sent.bytes += record.contentBytes;
  };
  let step = producer.next();
  for (; step.done !== true; step = producer.next()) {
    if (signal.aborted) return;
    session.throwIfCancelled();
    if (step.value === null) await (ready?.() ?? parent?.ready(signal));
    else inWork.add(makeRecord(step.value, how));
    if (inWork.isFull) await sendOldest();
    session.progress({ phase: "reading", files: sent.files, bytes: sent.bytes, ...totals });
    await warnings.sendAll(link);
    await clock.yield();
  }
  while (!inWork.isEmpty && !signal.aborted) await sendOldest();
  await warnings.sendAll(link);
  const needed = range?.() ?? null;
  if (needed !== null) await link.send({ type: "wal-range", ...needed });
  const { records } = sent;
  const { kept, ...made } = step.value;
  await link.send({ type: "end", records, warnings: warnings.sent, totals: made, kept });
}

async function makeRecord(
  { tar, release, ...said }: TarFrame,
  { level, sealer }: Pick<PreparedBackup, "level" | "sealer">,
): Promise<DataRecord> {
  const frame = await compressFrameAside(tar, level);
  const record = { ...said, frame, tarBytes: tar.length };
  release();
  if (sealer === null) return record;
  const sealed = await sealer.seal(record);
  freeBytes(frame);
  return sealed;
}

async function awaitResult(
  session: WorkerSession,
  link: JobLink,
  parent: ParentInbox | null,
): Promise<Result> {
  while (true) {
    const message = await link.receive();
    if (message.kind === "parent" && parent !== null) {
      parent.add(message.chunk);
      continue;
    }
    if (message.kind !== "document") break;
    const { document } = message;
    if (document.type === "result") return document;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "trace") session.addPeerSteps(document.steps);
    else if (document.type !== "cursor") break;
  }
  throw new AgentError("reset", "Cannot go on with the backup: the server sent what it must not");
}
