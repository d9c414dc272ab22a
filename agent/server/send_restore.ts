// The sending half of a restore, on the server: plans which frames hold what is wanted, sends them
// whole with the pieces to cut, and waits until the client has written everything.

import { AgentError, freeBytes, fromErrorRecord } from "../../transport/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  sendForResult,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { Redirect } from "../record.ts";
import { RESTORE_LOST_TOLD } from "./limits.ts";
import { reportClient } from "./report_client.ts";
import type { RestorePlan, VaultReader } from "../vault/mod.ts";
import type { Surveyed } from "./survey_target.ts";

/** Why a member of a medium that can be opened is lost. */
export const LOST = "a part of it lies in a damaged frame of the media";

export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly reader: VaultReader;
  /** True when a part is worth nothing: damage ends the restore. */
  readonly isWhole?: boolean;
  /** What the client found in its target, when it was asked to look. */
  readonly surveyed?: Surveyed;
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
 * Sends the records of a plan and waits for the client's result. Members in damaged frames,
 * or in media that cannot be opened, are named, the others restored.
 * @throws AgentError what the client reports, and `reset` | `damaged` | `cancelled`
 */
export async function sendRestore(
  session: WorkerSession,
  link: JobLink,
  planned: PlannedRestore,
): Promise<{ status: WorkerResult["status"]; files: number; bytes: number }> {
  const result = awaitResult(session, link, planned);
  const choice = planned.surveyed?.survey.choice ?? null;
  let lost = 0;
  let unopened: Error | null = null;
  const onLost = (path: Uint8Array, medium: Error | null) => {
    lost += 1;
    unopened ??= medium;
    const text = new TextDecoder().decode(path);
    if (planned.isWhole) throw medium ?? damagedMember(text);
    const message = medium?.message ?? LOST;
    if (lost <= RESTORE_LOST_TOLD) session.warn({ code: "damaged", message, path: text });
  };
  return await sendForResult({ clock: session.runtime.clock, result }, async (failed) => {
    let records = 0;
    for (const record of planned.reader.restoreRecords(planned.plan, onLost, choice)) {
      if (failed.aborted) return;
      const release = () => freeBytes(record.frame);
      await link.sendRestore(record, { signal: failed, release });
      records += 1;
      session.throwIfCancelled();
      await session.runtime.clock.yield();
    }
    if (lost > RESTORE_LOST_TOLD) {
      const message = `${
        lost - RESTORE_LOST_TOLD
      } more are lost; \`agent verify\` says in which media`;
      session.warn({ code: "damaged", message, path: null });
    }
    // Nothing at all could be read: that is no restore.
    if (records === 0 && unopened !== null) throw unopened;
    await link.send({ type: "end", records, ...(lost > 0 ? { lost } : {}) });
  });
}

/** Of what is restored whole or not at all. */
export function damagedMember(path: string): AgentError {
  const message = `Cannot restore "${path}": ${LOST}`;
  return new AgentError("damaged", message, {
    hint: "Restore another backup; `agent verify --data` names what is damaged.",
  });
}

/** The result comes on another connection than the warnings, so the last of both ends the wait. */
async function awaitResult(
  session: WorkerSession,
  link: JobLink,
  { plan, surveyed }: PlannedRestore,
): Promise<{ status: WorkerResult["status"]; files: number; bytes: number }> {
  const { files, bytes } = surveyed?.survey.wanted ?? plan;
  let result: Extract<LinkDocument, { type: "result" }> | null = null;
  let warnings = surveyed?.warnings ?? 0;
  while (result === null || warnings < (result.warnings ?? 0)) {
    const message = await link.receive();
    if (message.kind !== "document") {
      throw new AgentError("reset", "Cannot go on with the restore: found a record, need none");
    }
    const { document } = message;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "result") result = document;
    else if (document.type === "warning") warnings += 1;
    reportClient(session, document, { totalFiles: files, totalBytes: bytes });
  }
  return { status: result.status, files: result.files, bytes: result.bytes };
}
