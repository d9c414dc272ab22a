// What a database's write-ahead log is asked for, as it crosses from a client's main thread, which
// has the control endpoint, to the worker of the standing connection, and back.

import { Change, type ErrorRecord } from "../../transport/mod.ts";

/** What tells one file of a log from every other. */
export interface FileDigest {
  readonly bytes: number;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
}

/** A file in a log's directory on this host, and whose it is said to be. */
export interface OwnFile {
  /** The log's directory. */
  readonly directory: string;
  readonly name: string;
  /** The cluster that the command says it runs for, null when it could not tell. */
  readonly system: string | null;
  /** The cluster of the configured data directory, null when there is none. */
  readonly known: string | null;
}

export type WalAction =
  /** Keep this file. */
  | {
    readonly type: "push";
    /** Identifier of the cluster, decimal. */
    readonly system: string;
    readonly name: string;
    readonly bytes: Uint8Array;
  }
  /** Keep the file that is in this directory, if it is the one that is meant. */
  | ({ readonly type: "push-own" } & OwnFile & FileDigest)
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
  /** The file is not seen here, or is another one. */
  | { readonly type: "unlike" }
  /** As one frame, whose content nobody has proved yet. */
  | { readonly type: "file"; readonly frame: Uint8Array }
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

  /** The next request, if there is one. */
  take(): WalRequest | null {
    return this.#waiting.shift() ?? null;
  }

  /** Waits until there is one to take. @throws AgentError the reason of `signal` */
  async some(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length === 0) await this.#added.next({ signal });
  }
}
