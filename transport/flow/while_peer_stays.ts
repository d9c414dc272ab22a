// A wait for something elsewhere while a connection of the set-up stands: for the server's
// connection back (Fig. 5, step 198), or on the storage (Fig. 4A, steps 146 and 172; Fig. 5, steps
// 212 and 244). The peer says nothing on that connection meanwhile but that it gives up: its end,
// or a word, is the quickest sign of that, also when the peer's process was killed.

import { AgentError } from "../ground/error.ts";
import type { FlowExchange } from "./flow_exchange.ts";

export interface WatchedPeer {
  /**
   * The connection of the set-up: it ends at once when the peer's process dies. Null where there is
   * none, or another one watches it: then only the wait's own deadline ends it.
   */
  readonly exchange: FlowExchange | null;
  readonly signal: AbortSignal;
  /** What is waited for, for the message: `Cannot <action>: the peer gave it up`. */
  readonly action: string;
  readonly hint?: string;
}

/** @throws AgentError `reset` when the peer ends or gives up first, or what `wait` throws */
export async function whilePeerStays<T>(
  { exchange, signal, action, hint }: WatchedPeer,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (exchange === null) return await wait(signal);
  const done = new AbortController();
  const gone = new AbortController();
  const giveUp = (why: string) => {
    if (done.signal.aborted) return;
    gone.abort(new AgentError("reset", `Cannot ${action}: the peer ${why}`, { hint }));
  };
  const watch = exchange.peek({ signal: done.signal })
    .then(() => giveUp("gave it up"), () => giveUp("ended the set-up"));
  try {
    return await wait(AbortSignal.any([signal, gone.signal]));
  } finally {
    done.abort();
    await watch;
  }
}
