// Verification on the server's worker thread: the vault proves its media, one file after the other.
// A backup that is named is proved with all the media that hold what it presents.

import type { ServerVerifyTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import { type Finding, VaultReader, verifyError, type VerifyReport } from "../vault/mod.ts";

/** Verifies backups one after the other. @throws AgentError `damaged` when something was found */
export async function runServerVerify(
  session: WorkerSession,
  task: ServerVerifyTask,
): Promise<WorkerResult> {
  using reader = VaultReader.open({ directory: task.vault, files: session.runtime.files });
  session.running("verify");
  const references = task.backups.length > 0
    ? [...new Set(task.backups.flatMap((named) => [...reader.mediaOf(named), named]))]
    : reader.backups().map((one) => one.backup);
  const reports: VerifyReport[] = [];
  let bytes = 0;
  for (const reference of references) {
    const verification = reader.verify(reference, task);
    let looked = 0;
    let step = verification.next();
    while (!step.done) {
      session.throwIfCancelled();
      if (step.value.type === "finding") reportFinding(session, step.value.finding);
      else looked = step.value.bytes;
      session.progress({
        phase: "verifying",
        files: reports.length,
        bytes: bytes + looked,
        totalFiles: references.length,
        totalBytes: null,
      });
      await session.runtime.clock.yield();
      step = verification.next();
    }
    reports.push(step.value);
    bytes += looked;
  }
  const damage = verifyError(reports);
  if (damage !== null) throw damage;
  return { status: "ok", backup: null, files: references.length, bytes };
}

function reportFinding(session: WorkerSession, finding: Finding): void {
  const more = finding.pathCount > finding.paths.length
    ? ` and ${finding.pathCount - finding.paths.length} more`
    : "";
  const affected = finding.pathCount > 0 ? ` (affects ${finding.paths.join(", ")}${more})` : "";
  const message = `${finding.backup}: ${finding.what}${affected}`;
  session.warn({ code: "damaged", message, path: finding.paths[0] ?? null });
}
