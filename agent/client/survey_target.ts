// The looking half of a restore, on the client: takes the entries that the server sends, says what
// becomes of each, and sets at once what differs but the content (not in a dry run).

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import type { TargetSurvey } from "../application/mod.ts";
import type { Entry } from "../entry.ts";
import type { JobLink, WorkerSession } from "../job/mod.ts";
import { decodeIndexRows } from "../media/mod.ts";
import { type Verdict, VERDICTS } from "../verdict.ts";
import { ParentInbox } from "./parent_inbox.ts";
import type { WarningQueue } from "./send_backup.ts";

export interface SurveyTargetOptions {
  readonly link: JobLink;
  readonly warnings: WarningQueue;
  readonly totals: { readonly totalFiles: number | null; readonly totalBytes: number | null };
  readonly dryRun: boolean;
}

/** @throws AgentError what the server reports, `reset` | `failed` | `damaged` | `cancelled` */
export async function surveyTarget(
  session: WorkerSession,
  survey: TargetSurvey,
  { link, warnings, totals, dryRun }: SurveyTargetOptions,
): Promise<void> {
  const inbox = new ParentInbox(link);
  let files = 0;
  let bytes = 0;
  for (let index = 0;;) {
    session.throwIfCancelled();
    const chunk = inbox.take();
    if (chunk === "end") break;
    if (chunk === null) {
      await receiveChunk(session, link, inbox);
      continue;
    }
    const entries = decodeIndexRows(chunk).rows.map((row) => row.entry);
    const verdicts = entries.map((entry) => decide(survey, entry, dryRun));
    const codes = Uint8Array.from(verdicts, (verdict) => VERDICTS.indexOf(verdict));
    await link.send({ type: "verdicts", index, verdicts: codes.toBase64() });
    index += 1;
    files += entries.length;
    bytes += entries.reduce(
      (sum, { type, sizeBytes }) => sum + (type === "file" ? sizeBytes : 0),
      0,
    );
    await warnings.sendAll(link);
    const counts = { phase: "scanning", files, bytes, ...totals } as const;
    if (session.progress(counts)) await link.send({ type: "progress", ...counts });
    await session.runtime.clock.yield();
  }
  await link.send({ type: "surveyed", warnings: warnings.sent });
}

function decide(survey: TargetSurvey, entry: Entry, dryRun: boolean): Verdict {
  const verdict = survey.look(entry);
  const isSetNow = verdict === "attributes" && entry.type !== "directory" && !dryRun;
  return isSetNow ? survey.setAttributes(entry) : verdict;
}

async function receiveChunk(
  session: WorkerSession,
  link: JobLink,
  inbox: ParentInbox,
): Promise<void> {
  const message = await link.receive();
  if (message.kind === "parent") return inbox.add(message.chunk);
  const document = message.kind === "document" ? message.document : null;
  if (document?.type === "trace") return session.addPeerSteps(document.steps);
  if (document?.type === "error") throw fromErrorRecord(document.error);
  throw new AgentError("reset", "Cannot go on with the restore: the server sent what it must not");
}
