// What the connections of a link brought, in the order in which it came.
//
// Invariants:
//  1. Each connection is listened to once for each of its messages, so that the wait for a silent
//     one does not grow with every message of the others.
//  2. At most one arrival of each connection is here: the next begins when this one was consumed
//     (`MessageLane.pending` is null again).

import { Change, throwIfCancelled, type WaitOptions } from "../../transport/mod.ts";
import type { MessageLane, Received } from "./link_conn.ts";

/** What a connection brought, or how it failed. */
export type Arrival = Received | { readonly from: MessageLane; readonly failure: unknown };

export class LinkInbox {
  readonly #arrivals: Arrival[] = [];
  readonly #change = new Change();

  /** Begins to receive on a connection of which nothing is under way or here. */
  listen(from: MessageLane, options: WaitOptions): void {
    if (from.pending !== null) return;
    from.begin(options).then(
      (received) => this.#add(received),
      (failure: unknown) => this.#add({ from, failure }),
    );
  }

  /** Takes the next one. @throws AgentError `cancelled`, or the signal's own reason */
  async next(signal: AbortSignal): Promise<Arrival> {
    const arrival = await this.peek(signal);
    this.#arrivals.shift();
    return arrival;
  }

  /** Waits for the next one and leaves it here. @throws as `next` does */
  async peek(signal: AbortSignal): Promise<Arrival> {
    for (;;) {
      throwIfCancelled(signal);
      const [arrival] = this.#arrivals;
      if (arrival !== undefined) return arrival;
      await this.#change.next({ signal });
    }
  }

  #add(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#change.notify();
  }
}
