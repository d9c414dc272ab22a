// The client's side of a file-system job's storage channel: serves set-ups of Fig. 4A until one
// succeeds, since the server may try again while it waits, or until the server chose a channel.

import {
  acceptStorage,
  AgentError,
  assert,
  cancellation,
  toErrorRecord,
} from "../../transport/mod.ts";
import {
  type ClientFilesystemTask,
  groupOf,
  NOT_CONFIGURED,
  type Prove,
  type WorkerSession,
} from "../job/mod.ts";

export interface StorageAcceptanceOptions {
  readonly task: ClientFilesystemTask;
  readonly prove: Prove;
}

export class StorageAcceptance {
  readonly #session: WorkerSession;
  readonly #options: StorageAcceptanceOptions;
  /** Ends everything: nobody needs the channel. */
  readonly #abandoned = new AbortController();
  /** No further set-up comes. */
  readonly #settled = new AbortController();
  /** Why the last set-up that failed here failed. */
  #failure: AgentError | null = null;
  readonly #channel: Promise<number>;

  constructor(session: WorkerSession, options: StorageAcceptanceOptions) {
    this.#session = session;
    this.#options = options;
    this.#channel = this.#accept();
    this.#channel.catch(() => {}); // Of interest only to `settle`.
  }

  /** The server chose the network. */
  abandon(): void {
    this.#abandoned.abort();
  }

  /**
   * The server chose the storage, so the last set-up succeeded there.
   * @returns the STP descriptor
   * @throws AgentError why it failed here after all
   */
  settle(): Promise<number> {
    const message = "Cannot use the storage channel: its set-up failed on the client";
    this.#settled.abort(this.#failure ?? new AgentError("reset", message));
    return this.#channel;
  }

  async #accept(): Promise<number> {
    const session = this.#session;
    const { storageLost } = session;
    const signal = AbortSignal.any([session.signal, this.#abandoned.signal, storageLost]);
    const waiting = AbortSignal.any([signal, this.#settled.signal]);
    while (true) {
      const { descriptor, setup } = await session.relayed("storage-setup", waiting);
      assert(setup !== null, "a storage set-up carries its message");
      const access = this.#options.task.stgs[setup.message.name] ?? NOT_CONFIGURED;
      try {
        return await acceptStorage(session.flow(signal), {
          descriptor,
          identity: session.identity,
          message: setup.message,
          group: groupOf(access, "client", session.runtime),
          random: session.runtime.random,
          prove: this.#options.prove,
        });
      } catch (error) {
        if (storageLost.aborted) throw cancellation(storageLost);
        if (signal.aborted || this.#settled.signal.aborted) throw error;
        if (!(error instanceof AgentError)) throw error;
        this.#failure = error;
        session.warn({ code: "storage", message: toErrorRecord(error).message, path: null });
      }
    }
  }
}
