// A deadline around a wait. Every wait of the program takes a signal; this composes the caller's
// signal with a time limit, on a clock that is handed in, so that tests need no real time.
//
// Invariants:
//  1. When the time is up the inner signal fires with AgentError `timeout`, naming what was waited
//     for; when the caller's signal fires first, with that signal's reason.
//  2. The timer and the listener are gone when the call returns.

import type { WaitOptions } from "../conn.ts";
import { cancellation, throwIfCancelled } from "./cancellation.ts";
import { AgentError } from "./error.ts";

/** The part of a clock that a deadline needs. */
export interface Sleeper {
  sleep(ms: number, options?: WaitOptions): Promise<void>;
}

export interface DeadlineOptions extends WaitOptions {
  readonly timeoutMs: number;
  /** What is done, for the message: `Cannot <action>: nothing came within 5000 ms`. */
  readonly action: string;
  readonly hint?: string | undefined;
}

/**
 * Runs `wait` with a signal that fires after `timeoutMs` or when `options.signal` fires. The wait
 * must obey its signal; if it does not, the call still ends when the signal fires.
 * @throws AgentError `timeout` | `cancelled`, or what `wait` throws
 * @example await withDeadline(clock, { timeoutMs: 5000, action: "accept" }, (signal) =>
 *   listener.accept({ signal }));
 */
export async function withDeadline<T>(
  clock: Sleeper,
  options: DeadlineOptions,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const outer = options.signal;
  throwIfCancelled(outer);
  const inner = new AbortController();
  const timer = new AbortController();
  const onOuter = () => {
    if (outer !== undefined) inner.abort(cancellation(outer));
  };
  outer?.addEventListener("abort", onOuter, { once: true });
  clock.sleep(options.timeoutMs, { signal: timer.signal }).then(
    () => inner.abort(timeoutError(options)),
    () => {}, // The wait ended first.
  );
  const ended = new Promise<never>((_, reject) => {
    inner.signal.addEventListener("abort", () => reject(cancellation(inner.signal)), {
      once: true,
    });
  });
  try {
    return await Promise.race([wait(inner.signal), ended]);
  } finally {
    timer.abort();
    outer?.removeEventListener("abort", onOuter);
  }
}

function timeoutError(options: DeadlineOptions): AgentError {
  const message = `Cannot ${options.action}: nothing came within ${options.timeoutMs} ms`;
  return new AgentError("timeout", message, { hint: options.hint });
}
