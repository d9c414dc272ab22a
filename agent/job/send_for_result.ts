// Sends the records of a job while the peer's result is awaited: the peer may fail at any record.
//
// Invariants:
//  1. What the peer says of its failure wins over what that failure did to our sending: a broken
//     connection is often noticed before the peer's words are read.
//  2. An error of our own, such as one of the source, is reported at once.

import { AgentError, type Clock, withDeadline } from "../../transport/mod.ts";
import { TELL_TIMEOUT_MS } from "./limits.ts";

export interface SendForResultOptions<T> {
  readonly clock: Clock;
  /** The peer's result, awaited from now on. */
  readonly result: Promise<T>;
}

/**
 * @param send sends everything; ends early when its signal fires, for the peer takes no more
 * @returns the peer's result
 * @throws what the peer reports, else what `send` throws
 */
export async function sendForResult<T>(
  { clock, result }: SendForResultOptions<T>,
  send: (failed: AbortSignal) => Promise<void>,
): Promise<T> {
  const failed = new AbortController();
  const settled = result.then(() => {}, (error) => failed.abort(error));
  try {
    await send(failed.signal);
  } catch (error) {
    if (isBrokenConnection(error)) {
      const deadline = { timeoutMs: TELL_TIMEOUT_MS, action: "learn why the peer ended the job" };
      await withDeadline(clock, deadline, () => settled).catch(() => {}); // It does not say.
    }
    if (!failed.signal.aborted) throw error;
  }
  return await result;
}

/** For what may be told in vain: a peer that is gone is noticed, and why, where it is read. */
export function unlessBroken(error: unknown): void {
  if (!isBrokenConnection(error)) throw error;
}

function isBrokenConnection(error: unknown): boolean {
  return error instanceof AgentError && (error.code === "reset" || error.code === "closed");
}
