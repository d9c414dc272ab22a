// Makes the catalog again from the media, on the server's worker thread. The main thread has given
// the catalog up and takes it back after the job.

import type { ServerRebuildTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import { rebuildCatalog } from "../vault/mod.ts";

/** A media file that cannot be taken up is a warning, and the result is incomplete. */
export async function runServerRebuild(
  session: WorkerSession,
  task: ServerRebuildTask,
): Promise<WorkerResult> {
  const { files, clock } = session.runtime;
  session.running("rebuild-catalog");
  let count = 0;
  let isWhole = true;
  for (const { adoption, done, total } of rebuildCatalog({ directory: task.vault, files })) {
    session.throwIfCancelled();
    if (adoption.error === null) count += 1;
    else {
      isWhole = false;
      const message = `${adoption.backup}: ${adoption.error.message}`;
      session.warn({ code: adoption.error.code, message, path: null });
    }
    session.progress({
      phase: "writing",
      files: done,
      bytes: 0,
      totalFiles: total,
      totalBytes: null,
    });
    await clock.yield();
  }
  return { status: isWhole ? "ok" : "incomplete", backup: null, files: count, bytes: 0 };
}
