// How a wait ends early: one way for every wait in the program to turn an AbortSignal into an
// error that callers can switch on.
//
// Invariants:
//  1. A signal whose reason is an AgentError (a deadline, a job's cancellation) rejects with that
//     very error; any other reason becomes `cancelled`.
//  2. A wait that ended leaves no listener on the signal, so a long-lived signal does not grow.

import { AgentError } from "./error.ts";

/** The error of a wait that `signal` ended: its reason when that is an AgentError. */
export function cancellation(signal: AbortSignal): AgentError {
  const reason: unknown = signal.reason;
  if (reason instanceof AgentError) return reason;
  return new AgentError("cancelled", "Cannot finish the wait: cancelled", { cause: reason });
}

/** @throws AgentError `cancelled`, or the signal's own reason, when it has fired already */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancellation(signal);
}

/**
 * Settles as `wait` does, or rejects as soon as `signal` fires. The wait itself goes on: use it
 * only where an outcome that nobody takes does no harm.
 * @throws AgentError `cancelled`, or the signal's own reason
 */
export function orCancelled<T>(wait: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return wait;
  if (signal.aborted) {
    wait.catch(() => {}); // The caller hears of the cancellation; a late failure is nobody's.
    return Promise.reject(cancellation(signal));
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancellation(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    wait.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
