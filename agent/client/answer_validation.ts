// The client's answer to a server that looks whether the channels work: whether the storage
// channel, which the server set up as for a job, works on this side, too.

import { AgentError, setupFallback } from "../../transport/mod.ts";
import { VERSION } from "../daemon_parts.ts";
import type { JobLink, WorkerResult, WorkerSession } from "../job/mod.ts";
import type { StorageAcceptance } from "./storage_acceptance.ts";

export interface AnswerOptions {
  readonly link: JobLink;
  readonly storage: StorageAcceptance;
  /** True when the storage channel works on the server's side. */
  readonly server: boolean;
}

export async function answerValidation(
  session: WorkerSession,
  { link, storage, server }: AnswerOptions,
): Promise<WorkerResult> {
  session.running("validate");
  await link.send({
    type: "validated",
    version: VERSION,
    storage: server ? await failureHere(session, storage) : null,
  });
  if (!server) storage.abandon();
  return { status: "ok", backup: null, files: null, bytes: null };
}

async function failureHere(session: WorkerSession, storage: StorageAcceptance) {
  try {
    await storage.settle();
    return null;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    session.throwIfCancelled();
    return setupFallback(error, "client");
  }
}
