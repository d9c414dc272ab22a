// The client's answer to a server that looks whether the channels work: whether the storage
// channel, which the server set up as for a job, works on this side, too.

import { AgentError, type Fallback, setupFallback } from "../../transport/mod.ts";
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
  const channel = server ? await channelHere(session, storage) : null;
  const failure = typeof channel === "number" ? null : channel;
  const wallMs = Math.floor(session.runtime.clock.wallMs());
  await link.send({ type: "validated", version: VERSION, storage: failure, wallMs });
  if (typeof channel === "number") await session.layer.conn(channel).close();
  if (!server) storage.abandon();
  return { status: "ok", backup: null, files: null, bytes: null };
}

/** The STP descriptor, or why there is none. */
async function channelHere(
  session: WorkerSession,
  storage: StorageAcceptance,
): Promise<number | Fallback> {
  try {
    return await storage.settle();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    session.throwIfCancelled();
    return setupFallback(error, "client");
  }
}
