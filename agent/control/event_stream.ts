// A job's events as a stream of server-sent events, with comments while nothing happens.
//
// Each event carries its number, so that a reader resumes with `since` or Last-Event-ID. The
// stream ends after the summary, when the reader goes away, or when the endpoint closes.

import type { Clock } from "../../transport/runtime/runtime.ts";
import type { JobEvent } from "./daemon.ts";
import { EVENT_KEEPALIVE_MS } from "./limits.ts";

const SILENT = Symbol("nothing happened for a while");

export interface EventStreamOptions {
  readonly clock: Pick<Clock, "sleep">;
  /** Fired by the stream when its reader is gone. */
  readonly abort: AbortController;
}

/** Renders one event. @example "id: 1\nevent: progress\ndata: {...}\n\n" */
function formatEvent(event: JobEvent): string {
  return `id: ${event.id}\nevent: ${event.body.type}\ndata: ${JSON.stringify(event.body)}\n\n`;
}

/** The byte stream of `events`; backpressure reaches the iterator. */
export function eventStream(
  events: AsyncIterable<JobEvent>,
  options: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = events[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<JobEvent>> | null = null;
  return new ReadableStream({
    async pull(controller) {
      pending ??= iterator.next();
      const result = await orSilence(pending, options.clock);
      if (result === SILENT) {
        controller.enqueue(encoder.encode(": still here\n\n"));
        return;
      }
      pending = null;
      if (result.done === true) controller.close();
      else controller.enqueue(encoder.encode(formatEvent(result.value)));
    },
    async cancel() {
      options.abort.abort();
      await iterator.return?.();
    },
  });
}

async function orSilence<T>(
  pending: Promise<T>,
  clock: Pick<Clock, "sleep">,
): Promise<T | typeof SILENT> {
  const stop = new AbortController();
  const silence = clock.sleep(EVENT_KEEPALIVE_MS, { signal: stop.signal })
    .then((): typeof SILENT => SILENT);
  // A cancelled sleep rejects; the race is over by then.
  silence.catch(() => {});
  try {
    return await Promise.race([pending, silence]);
  } finally {
    stop.abort();
  }
}
