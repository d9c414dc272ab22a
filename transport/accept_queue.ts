// Connections between arriving and being taken: every listener's queue.
//
// Invariants:
//  1. At most `backlog` connections wait; `push` refuses the next, and the caller turns it away.
//  2. A cancelled accept takes nothing: the connection goes to the next one who waits.
//  3. After `close` every accept rejects with `closed`; the connections left over are the closer's.

import { cancellation, throwIfCancelled } from "./ground/cancellation.ts";
import { AgentError } from "./ground/error.ts";

interface Waiter<T> {
  take(conn: T): void;
  fail(error: AgentError): void;
}

export class AcceptQueue<T> {
  readonly #name: string;
  readonly #backlog: number;
  readonly #ready: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();
  #failure: AgentError | undefined;

  /** @param name what listens, for messages */
  constructor(name: string, backlog: number) {
    this.#name = name;
    this.#backlog = backlog;
  }

  /** How many accepts wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** @returns false when the queue is full or closed: the connection is still the caller's */
  push(conn: T): boolean {
    if (this.#failure !== undefined) return false;
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      waiter.take(conn);
      return true;
    }
    if (this.#ready.length >= this.#backlog) return false;
    this.#ready.push(conn);
    return true;
  }

  /** @throws AgentError `closed` | `cancelled` */
  accept(signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      throwIfCancelled(signal);
      const first = this.#ready.shift();
      if (first !== undefined) return resolve(first);
      if (this.#failure !== undefined) throw this.#failure;
      const onAbort = () => {
        this.#waiters.delete(waiter);
        if (signal !== undefined) reject(cancellation(signal));
      };
      const waiter: Waiter<T> = {
        take: (conn) => {
          signal?.removeEventListener("abort", onAbort);
          resolve(conn);
        },
        fail: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** Ends all accepts. @returns connections that nobody took: the caller aborts them */
  close(
    error = new AgentError("closed", `Cannot accept on "${this.#name}": it was closed`),
  ): readonly T[] {
    this.#failure ??= error;
    this.failWaiting(this.#failure);
    return this.#ready.splice(0);
  }

  /** Ends the accepts that wait now; later ones may succeed. */
  failWaiting(error: AgentError): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.fail(error);
  }
}
