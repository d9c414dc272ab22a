// Verification on the server's worker thread: the vault proves its media, one file after the other.
// A backup that is named is proved with all the media that hold what it presents.

import { AgentError } from "../../transport/mod.ts";
import type { ServerVerifyTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import {
  type Finding,
  VaultReader,
  verifyError,
  type VerifyEvent,
  type VerifyReport,
} from "../vault/mod.ts";

/** Verifies backups one after the other. @throws AgentError `damaged` when something was found */
export async function runServerVerify(
  session: WorkerSession,
  task: ServerVerifyTask,
): Promise<WorkerResult> {
  using reader = VaultReader.open({ directory: task.vault, files: session.runtime.files });
  session.running("verify");
  const references = task.backups.length > 0
    ? [...new Set(task.backups.flatMap((named) => [...reader.mediaOf(named), named]))]
    : reader.everyMedia();
  const reports: VerifyReport[] = [];
  let bytes = 0;
  for (const reference of references) {
    const before = { files: reports.length, bytes, totalFiles: references.length };
    try {
      const { report, looked } = await verifyOne(session, reader.verify(reference, task), before);
      reports.push(report);
      bytes += looked;
    } catch (error) {
      // One that nobody named may expire before its turn comes.
      const isGone = error instanceof AgentError && error.code === "not_found";
      if (!isGone || task.backups.includes(reference)) throw error;
    }
  }
  reportUndecrypted(session, reports);
  const damage = verifyError(reports);
  if (damage !== null) throw damage;
  return { status: "ok", backup: null, files: reports.length, bytes };
}

/** Carries out one verification. @returns its report and the bytes of media that it looked at */
async function verifyOne(
  session: WorkerSession,
  verification: Generator<VerifyEvent, VerifyReport>,
  before: { readonly files: number; readonly bytes: number; readonly totalFiles: number },
): Promise<{ readonly report: VerifyReport; readonly looked: number }> {
  let looked = 0;
  let step = verification.next();
  for (; step.done !== true; step = verification.next()) {
    session.throwIfCancelled();
    if (step.value.type === "finding") reportFinding(session, step.value.finding);
    else looked = step.value.bytes;
    session.progress({
      phase: "verifying",
      ...before,
      bytes: before.bytes + looked,
      totalBytes: null,
    });
    await session.runtime.clock.yield();
  }
  return { report: step.value, looked };
}

/** The server has no keys: what it could not look at, it says. */
function reportUndecrypted(session: WorkerSession, reports: readonly VerifyReport[]): void {
  const count = reports.filter(({ undecrypted }) => undecrypted).length;
  if (count === 0) return;
  const message = `${count} of ${reports.length} media files are encrypted: their bytes were ` +
    "checked as they are stored, their content was not decrypted";
  session.warn({ code: "encrypted", message, path: null });
}

function reportFinding(session: WorkerSession, finding: Finding): void {
  const more = finding.pathCount > finding.paths.length
    ? ` and ${finding.pathCount - finding.paths.length} more`
    : "";
  const affected = finding.pathCount > 0 ? ` (affects ${finding.paths.join(", ")}${more})` : "";
  const message = `${finding.backup}: ${finding.what}${affected}`;
  session.warn({ code: "damaged", message, path: finding.paths[0] ?? null });
}
