// What a client tells of its work on a restore, into the job's own events.

import type { LinkDocument, WorkerSession } from "../job/mod.ts";

/** Passes on progress, warnings and connection steps; anything else is not for the events. */
export function reportClient(
  session: WorkerSession,
  document: LinkDocument,
  totals: { readonly totalFiles: number; readonly totalBytes: number },
): void {
  if (document.type === "progress") {
    const { phase, files, bytes } = document;
    session.progress({ phase, files, bytes, ...totals });
  } else if (document.type === "warning") {
    const { code, message, path } = document;
    const text = path === null ? null : new TextDecoder().decode(Uint8Array.fromBase64(path));
    session.warn({ code, message, path: text });
  } else if (document.type === "trace") session.addPeerSteps(document.steps);
}
