// A backup that was cut, as the server tells this client of it: whether it can be gone on with, and
// where.

import { AgentError } from "../../transport/mod.ts";
import { canGoOn, type OpenMember } from "../application/mod.ts";
import type { CutAnswer, EncryptionPart, LinkDocument, WorkerSession } from "../job/mod.ts";
import { decodeIndexRows } from "../media/mod.ts";

/** @throws AgentError `damaged` when the offer cannot be read */
export function answerCutOffer(
  { runtime }: Pick<WorkerSession, "runtime">,
  { openMember }: Extract<LinkDocument, { type: "cut-offer" }>,
  { recipients }: EncryptionPart,
): CutAnswer {
  // Only plain frames are offered, and frames of a backup are all alike.
  if (recipients.length > 0) return "no";
  if (openMember === null) return "before-member";
  const member = decodeMember(openMember.row, openMember.tarOffset);
  return canGoOn(runtime.files, member) ? "in-member" : "before-member";
}

/**
 * Where a producer goes on with a backup that was cut; nothing when it begins from nothing.
 * @throws AgentError `damaged`
 */
export function resumptionOf(
  resume: Extract<LinkDocument, { type: "backup-filesystem" }>["resume"],
): { readonly tarOffset?: number; readonly openMember?: OpenMember } {
  if (resume === null) return {};
  const { tarOffset, openMember } = resume;
  return openMember === null
    ? { tarOffset }
    : { tarOffset, openMember: decodeMember(openMember, tarOffset) };
}

function decodeMember(row: string, tarOffset: number): OpenMember {
  const { rows: [only] } = decodeIndexRows(Uint8Array.fromBase64(row));
  if (only === undefined) {
    throw new AgentError("damaged", "Cannot go on with a member: found no row of it, need one");
  }
  return { row: only, tarOffset };
}
