// Before a dry run, or a restore of what changed: the client gets the entries of the plan, looks
// at its target, and says what becomes of each. The client decides, for it alone knows the target:
// some bytes a file of the catalog cross the wire, and nothing of what the target has besides.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import type { RestoreItemView } from "../control/restore_view.ts";
import type { JobLink, WorkerSession } from "../job/mod.ts";
import type { RestorePlan } from "../vault/mod.ts";
import { RESTORE_ITEM_CHARACTERS, RESTORE_ITEMS_MAX } from "./limits.ts";
import { ParentSource } from "./parent_source.ts";
import { RestoreSurvey } from "./restore_survey.ts";
import { reportClient } from "./report_client.ts";

/** What the client found in its target. */
export interface Surveyed {
  readonly survey: RestoreSurvey;
  /** Warnings that came meanwhile. */
  readonly warnings: number;
}

/**
 * Carries out a survey; a dry run tells of each entry.
 * @throws AgentError what the client reports, and `reset` | `damaged` | `cancelled`
 */
export async function surveyTarget(
  session: WorkerSession,
  link: JobLink,
  { plan, dryRun }: { readonly plan: RestorePlan; readonly dryRun: boolean },
): Promise<Surveyed> {
  const survey = new RestoreSurvey(plan);
  using source = new ParentSource(survey.chunks());
  let warnings = 0;
  let told: number | null = null;
  while (told === null || warnings < told) {
    const message = await link.receive();
    session.throwIfCancelled();
    if (message.kind !== "document") throw unexpected("a record");
    const { document } = message;
    if (document.type === "parent-wanted") await link.sendParent(source.chunk(document.index));
    else if (document.type === "verdicts") {
      const items = survey.take(document.index, Uint8Array.fromBase64(document.verdicts));
      if (dryRun) { for (const part of eventParts(items)) session.foreseen(part); }
    } else if (document.type === "surveyed") told = document.warnings;
    else if (document.type === "error") throw fromErrorRecord(document.error);
    else {
      if (document.type === "warning") warnings += 1;
      reportClient(session, document, { totalFiles: plan.files, totalBytes: plan.bytes });
    }
  }
  if (!survey.isComplete) throw unexpected("the end before the last entry");
  return { survey, warnings };
}

/** Items in parts that fit an event. */
function* eventParts(items: readonly RestoreItemView[]): Generator<RestoreItemView[]> {
  let part: RestoreItemView[] = [];
  let characters = 0;
  for (const item of items) {
    part.push(item);
    characters += item.path.length;
    if (part.length < RESTORE_ITEMS_MAX && characters < RESTORE_ITEM_CHARACTERS) continue;
    yield part;
    part = [];
    characters = 0;
  }
  if (part.length > 0) yield part;
}

function unexpected(found: string): AgentError {
  return new AgentError("reset", `Cannot go on with the restore: found ${found}, need verdicts`);
}
