// What a database's write-ahead log is asked for, as it crosses from a client's main thread, which
// has the control endpoint, to the worker of the standing connection, and back.

import { Change, type ErrorRecord } from "../../transport/mod.ts";

export type WalAction =
  /** Keep this file. */
  | {
    readonly type: "push";
    /** Identifier of the cluster, decimal. */
    readonly system: string;
    readonly name: string;
    readonly bytes: Uint8Array;
  }
  /** Send that file, of the only cluster that there is when none is named. */
  | { readonly type: "get"; readonly system: string | null; readonly name: string };

/** Requests are numbered by the main thread. */
export interface WalRequest {
  readonly id: number;
  readonly action: WalAction;
}

export type WalAnswer =
  /** It is durable now, or was so before. */
  | { readonly type: "stored" | "same" }
  | { readonly type: "file"; readonly bytes: Uint8Array }
  /** It was looked for, and is not there. */
  | { readonly type: "absent" }
  | { readonly type: "refused"; readonly error: ErrorRecord };

/** Requests on their way to the code that carries them, in order. */
export class WalRequests {
  readonly #waiting: WalRequest[] = [];
  readonly #added = new Change();

  add(request: WalRequest): void {
    this.#waiting.push(request);
    this.#added.notify();
  }

  /** The next request, when there is one. @throws AgentError the reason of `signal` */
  async next(signal: AbortSignal): Promise<WalRequest> {
    for (;;) {
      const request = this.#waiting.shift();
      if (request !== undefined) return request;
      await this.#added.next({ signal });
    }
  }
}
