// Why a link broke: a peer that fails says so on the connection of errors, which may be read later
// than the one that broke.

import {
  AgentError,
  type Clock,
  fromErrorRecord,
  type WaitOptions,
  withDeadline,
} from "../../transport/mod.ts";
import { TELL_TIMEOUT_MS } from "./limits.ts";
import type { MessageLane } from "./link_conn.ts";

/** @returns what the peer says, or `error` when it says nothing or the error is another's */
export async function toldReason(
  errors: MessageLane,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof AgentError) || error.code !== "reset") return error;
  const action = "learn why the peer ended the job";
  const deadline = { timeoutMs: TELL_TIMEOUT_MS, action, signal };
  try {
    return await withDeadline(clock, deadline, (signal) => toldError(errors, { signal }));
  } catch {
    return error;
  }
}

/** Reads on to the peer's error. @throws when none comes */
async function toldError(errors: MessageLane, options: WaitOptions): Promise<AgentError> {
  while (true) {
    const { message } = await errors.begin(options);
    if (message === null) throw new AgentError("reset", "Cannot learn the reason: none came");
    if (message.kind === "document" && message.document.type === "error") {
      return fromErrorRecord(message.document.error);
    }
    errors.pending = null;
  }
}
