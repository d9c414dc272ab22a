// The sending half of a backup, on the client: pulls records from an application's producer, sends
// each, and lets the event loop run in between; then waits until the server has published.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import { type ApplicationWarning, makesIncomplete, type Producer } from "../application/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  sendForResult,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { ParentInbox } from "./parent_inbox.ts";

export interface SendBackupOptions {
  readonly link: JobLink;
  /** Warnings that the producer has collected since the last call. */
  readonly warnings: WarningQueue;
  /** Where the producer takes the parent's rows from; null for a full backup. */
  readonly parent: ParentInbox | null;
  readonly totals: { readonly totalFiles: number | null; readonly totalBytes: number | null };
}

/** Warnings on their way to the server: the producer is synchronous, sending is not. */
export class WarningQueue {
  #warnings: ApplicationWarning[] = [];
  #sent = 0;

  /** Warnings that the peer has been sent: it waits for as many. */
  get sent(): number {
    return this.#sent;
  }

  readonly add = (warning: ApplicationWarning): void => {
    this.#warnings.push(warning);
  };

  async sendAll(link: JobLink): Promise<void> {
    const warnings = this.#warnings;
    this.#warnings = [];
    for (const { code, message, path } of warnings) {
      const incomplete = makesIncomplete(code);
      await link.send({ type: "warning", code, message, path: path.toBase64(), incomplete });
      this.#sent += 1;
    }
  }
}

type Result = Extract<LinkDocument, { type: "result" }>;

/**
 * Sends everything that `producer` makes.
 * @throws AgentError what the producer or the server reports, `reset`, `cancelled`
 */
export async function sendBackup(
  session: WorkerSession,
  producer: Producer,
  options: SendBackupOptions,
): Promise<WorkerResult> {
  const { link, totals, parent } = options;
  try {
    const { backup, status, files, bytes } = await sendForResult(
      { clock: session.runtime.clock, result: awaitResult(session, link, parent) },
      async (signal) => {
        await link.send({ type: "progress", phase: "reading", files: 0, bytes: 0, ...totals });
        await sendRecords(session, producer, { ...options, signal });
      },
    );
    return { backup, status, files, bytes };
  } finally {
    producer.return({ files: 0, bytes: 0 });
  }
}

async function sendRecords(
  session: WorkerSession,
  producer: Producer,
  options: SendBackupOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { link, warnings, totals, signal, parent } = options;
  let records = 0;
  let files = 0;
  let bytes = 0;
  let step = producer.next();
  for (; step.done !== true; step = producer.next()) {
    if (signal.aborted) return;
    session.throwIfCancelled();
    const record = step.value;
    if (record === null) await parent?.ready(signal);
    else {
      await link.sendData(record, { signal });
      records += 1;
      files += record.rowCount;
      bytes += record.contentBytes;
    }
    session.progress({ phase: "reading", files, bytes, ...totals });
    await warnings.sendAll(link);
    await session.runtime.clock.yield();
  }
  await warnings.sendAll(link);
  const { kept, ...produced } = step.value;
  await link.send({ type: "end", records, warnings: warnings.sent, totals: produced, kept });
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
