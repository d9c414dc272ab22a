// The threads of a daemon's jobs: a new one, or the one that a job before has left in order.
//
// A thread that has run a job has its modules loaded and its code compiled, which is half of what
// a small job costs (measured: an incremental backup of 100,000 unchanged files).
//
// Invariants:
//  1. A thread runs one job at a time, and is kept only when its job closed everything it opened.
//  2. One thread is kept at most, for SPARE_THREAD_MS at most: its memory is that of a small job.
//  3. A kept thread holds nothing of an older configuration: it is equipped for each job.
//  4. What a kept thread says reaches no job: it is broken, and is ended.

import type { Clock, Thread } from "../../transport/mod.ts";
import { SPARE_THREAD_MS } from "./limits.ts";
import type { FromWorker } from "./worker_protocol.ts";

export interface SpareThreadParts {
  readonly clock: Clock;
  readonly startThread: () => Thread;
  /** Gives a thread what its next job needs of the configuration as it is now. */
  readonly equipThread: (thread: Thread) => void;
  /** Ends the process: one of our own invariants broke. */
  readonly onAssertion: (message: string) => void;
}

export class SpareThread {
  readonly #parts: SpareThreadParts;
  #kept: { readonly thread: Thread; readonly taken: AbortController } | null = null;
  #closed = false;

  constructor(parts: SpareThreadParts) {
    this.#parts = parts;
  }

  /** A thread for one job: to be given back, or ended. */
  take(): Thread {
    const thread = this.#release() ?? this.#parts.startThread();
    this.#parts.equipThread(thread);
    return thread;
  }

  /** Keeps the thread of a job that ended in order, or ends it; resolves when that is done. */
  async giveBack(thread: Thread): Promise<void> {
    if (this.#closed || this.#kept !== null || thread.holdsDescriptors()) {
      return await thread.terminate();
    }
    const taken = new AbortController();
    this.#kept = { thread, taken };
    thread.onError(() => this.#end(thread));
    thread.onMessage((message) => {
      const said = message as FromWorker;
      if (said.type === "assertion") this.#parts.onAssertion(said.message);
      else this.#end(thread);
    });
    void this.#endLater(thread, taken.signal);
  }

  /** Ends the kept thread; none is kept any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#release()?.terminate();
  }

  async #endLater(thread: Thread, taken: AbortSignal): Promise<void> {
    try {
      await this.#parts.clock.sleep(SPARE_THREAD_MS, { signal: taken });
    } catch {
      return; // A job has it.
    }
    this.#end(thread);
  }

  #end(thread: Thread): void {
    if (this.#kept?.thread === thread) void this.#release()?.terminate();
  }

  #release(): Thread | null {
    const kept = this.#kept;
    this.#kept = null;
    kept?.taken.abort();
    return kept?.thread ?? null;
  }
}
