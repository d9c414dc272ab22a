// Waiting for a state to change: the waiter checks its condition, waits for the next change, and
// checks again. No change between check and wait can be lost, since nothing runs in between.

import type { WaitOptions } from "../conn.ts";
import { orCancelled } from "./cancellation.ts";

/** @example while (queue.length === 0) await change.next({ signal }); */
export class Change {
  #next: PromiseWithResolvers<void> | undefined;

  /**
   * Resolves at the next `notify`.
   * @throws AgentError `cancelled`, or the signal's own reason
   */
  next(options: WaitOptions = {}): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    return orCancelled(this.#next.promise, options.signal);
  }

  /** Wakes all who wait now. */
  notify(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
