// The sending half of a restore, on the server: plans which frames hold what is wanted, sends them
// whole with the pieces to cut, and waits until the client has written everything.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  sendForResult,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { Redirect } from "../record.ts";
import type { RestorePlan, VaultReader } from "../vault/mod.ts";

export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly reader: VaultReader;
}

/** Redirects as a document carries them. */
export function encodeRedirects(
  redirects: readonly Redirect[],
): { member: string; writeAs: string }[] {
  return redirects.map(({ member, writeAs }) => ({
    member: member.toBase64(),
    writeAs: writeAs.toBase64(),
  }));
}

/**
 * Sends the records of a plan and waits for the client's result. Members in damaged frames are
 * named, the others restored.
 * @throws AgentError what the client reports, and `reset` | `damaged` | `cancelled`
 */
export async function sendRestore(
  session: WorkerSession,
  link: JobLink,
  planned: PlannedRestore,
): Promise<{ status: WorkerResult["status"]; files: number; bytes: number }> {
  const result = awaitResult(session, link, planned.plan);
  let lost = 0;
  const onLost = (path: Uint8Array) => {
    lost += 1;
    const message = "a part of it lies in a damaged frame of the media";
    session.warn({ code: "damaged", message, path: new TextDecoder().decode(path) });
  };
  return await sendForResult({ clock: session.runtime.clock, result }, async (failed) => {
    let records = 0;
    for (const record of planned.reader.restoreRecords(planned.plan, onLost)) {
      if (failed.aborted) return;
      await link.sendRestore(record, { signal: failed });
      records += 1;
      session.throwIfCancelled();
      await session.runtime.clock.yield();
    }
    await link.send({ type: "end", records, ...(lost > 0 ? { lost } : {}) });
  });
}

/** The result comes on another connection than the warnings, so the last of both ends the wait. */
async function awaitResult(
  session: WorkerSession,
  link: JobLink,
  plan: RestorePlan,
): Promise<{ status: WorkerResult["status"]; files: number; bytes: number }> {
  let result: Extract<LinkDocument, { type: "result" }> | null = null;
  let warnings = 0;
  while (result === null || warnings < (result.warnings ?? 0)) {
    const message = await link.receive();
    if (message.kind !== "document") {
      throw new AgentError("reset", "Cannot go on with the restore: found a record, need none");
    }
    const { document } = message;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "result") result = document;
    else if (document.type === "warning") warnings += 1;
    report(session, document, plan);
  }
  return { status: result.status, files: result.files, bytes: result.bytes };
}

function report(session: WorkerSession, document: LinkDocument, plan: RestorePlan): void {
  if (document.type === "progress") {
    session.progress({
      phase: "writing",
      files: document.files,
      bytes: document.bytes,
      totalFiles: plan.files,
      totalBytes: plan.bytes,
    });
  } else if (document.type === "warning") {
    const { code, message, path } = document;
    const text = path === null ? null : new TextDecoder().decode(Uint8Array.fromBase64(path));
    session.warn({ code, message, path: text });
  } else if (document.type === "trace") session.addPeerSteps(document.steps);
}
