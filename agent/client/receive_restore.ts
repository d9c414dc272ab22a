// The receiving half of a restore, on the client: has some frames decrypted and decompressed at
// once, feeds them in order to an application's consumer and tells the server how it went.

import { AgentError, copyBytes, freeBytes, fromErrorRecord } from "../../transport/mod.ts";
import type { Consumer } from "../application/mod.ts";
import type { FrameOpener } from "../encryption/mod.ts";
import {
  FramesInWork,
  framesInWork,
  type JobLink,
  type LinkDocument,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { decompressRecord } from "../media/mod.ts";
import type { Redirect, RestoreRecord, TarPieces } from "../record.ts";
import type { WarningQueue } from "./send_backup.ts";

export interface ReceiveRestoreOptions {
  readonly link: JobLink;
  readonly warnings: WarningQueue;
  readonly opener: FrameOpener;
  readonly totals: { readonly totalFiles: number | null; readonly totalBytes: number | null };
  /** True once a warning said that something could not be restored. */
  readonly incomplete: () => boolean;
}

/** Redirects from the document that carried them. */
export function decodeRedirects(
  redirects: readonly { readonly member: string; readonly writeAs: string }[],
): Redirect[] {
  return redirects.map(({ member, writeAs }) => ({
    member: Uint8Array.fromBase64(member),
    writeAs: Uint8Array.fromBase64(writeAs),
  }));
}

/**
 * Feeds everything that the server sends; after a failure nothing half-written is left.
 * @throws AgentError what the consumer or the server reports, `reset`, `cancelled`
 */
export async function receiveRestore(
  session: WorkerSession,
  consumer: Consumer,
  options: ReceiveRestoreOptions,
): Promise<WorkerResult> {
  const { link, warnings } = options;
  try {
    const lost = await feedAll(session, consumer, options);
    session.throwIfCancelled();
    await link.sayBusy();
    const { files, bytes } = consumer.finish();
    await link.sayBusy(false); // A program may take its time, which keeps nobody from speaking.
    await consumer.settle?.();
    await warnings.sendAll(link);
    const status = lost > 0 || options.incomplete() ? "incomplete" : "ok";
    await link.send({
      type: "result",
      warnings: warnings.sent,
      backup: null,
      status,
      files,
      bytes,
    });
    return { status, backup: null, files, bytes };
  } catch (error) {
    consumer.abort();
    throw error;
  }
}

/** @returns count of members that the server could not send */
async function feedAll(
  session: WorkerSession,
  consumer: Consumer,
  options: ReceiveRestoreOptions,
): Promise<number> {
  const { link, warnings, opener, totals } = options;
  const { clock, process } = session.runtime;
  const inWork = new FramesInWork<TarPieces>(framesInWork(process.processors));
  let records = 0;
  let announced: End | null = null;
  while (announced === null || records < announced.records) {
    const message = await link.receive();
    session.throwIfCancelled();
    if (message.kind === "document") {
      announced = readDocument(session, message.document) ?? announced;
      continue;
    }
    if (message.kind !== "restore") {
      throw new AgentError("reset", "Cannot go on with the restore: found a backup's record");
    }
    inWork.add(openRecord(opener, message.record));
    records += 1;
    await link.acknowledge(null);
    if (inWork.isFull) await feed(consumer, await inWork.take());
    await warnings.sendAll(link);
    const counts = { phase: "writing", ...consumer.written(), ...totals } as const;
    if (session.progress(counts)) await link.send({ type: "progress", ...counts });
    await clock.yield();
  }
  while (!inWork.isEmpty) {
    await feed(consumer, await inWork.take());
    await warnings.sendAll(link);
  }
  return announced.lost ?? 0;
}

async function feed(consumer: Consumer, pieces: TarPieces): Promise<void> {
  consumer.feed(pieces);
  await consumer.settle?.();
  if (pieces.tar !== null) freeBytes(pieces.tar);
}

/** The link uses the frame's memory again: it is copied, compressed as it is. */
export async function openRecord(opener: FrameOpener, record: RestoreRecord): Promise<TarPieces> {
  const frame = copyBytes(record.frame);
  const opened = await opener.open({ ...record, frame });
  const pieces = await decompressRecord(opened);
  freeBytes(frame);
  if (opened.frame.buffer !== frame.buffer) freeBytes(opened.frame);
  return pieces;
}

type End = Extract<LinkDocument, { type: "end" }>;

/** The document, when it ends the records. */
function readDocument(session: WorkerSession, document: LinkDocument): End | null {
  if (document.type === "end") return document;
  if (document.type === "error") throw fromErrorRecord(document.error);
  if (document.type === "trace") {
    session.addPeerSteps(document.steps);
    return null;
  }
  const message = `Cannot go on with the restore: found a "${document.type}" message`;
  throw new AgentError("reset", message);
}
