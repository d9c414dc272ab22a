// Where a storage set-up (Fig. 4A) and the job it belongs to (Fig. 4) meet: they run in parallel,
// so either may come first. A set-up whose job does not come in time is abandoned.

import {
  AgentError,
  checkSameJob,
  type Clock,
  type Hello,
  type StorageSetup,
} from "../../transport/mod.ts";
import { SETUP_WAIT_MAX, SETUP_WAIT_MS } from "./limits.ts";

type Handler = (setup: StorageSetup) => void;

export class SetupRoom {
  readonly #clock: Clock;
  readonly #abandon: Handler;
  readonly #jobs = new Map<string, { readonly hello: Hello; readonly handler: Handler }>();
  readonly #waiting = new Map<StorageSetup, AbortController>();

  constructor(clock: Clock, abandon: Handler) {
    this.#clock = clock;
    this.#abandon = abandon;
  }

  /** A job is here: its set-ups go to `handler`, those that wait at once. */
  enter(hello: Hello, handler: Handler): void {
    this.#jobs.set(hello.job, { hello, handler });
    for (const setup of [...this.#waiting.keys()]) {
      if (setup.message.job !== hello.job) continue;
      this.#take(setup);
      if (matches(setup, hello)) handler(setup);
      else this.#abandon(setup);
    }
  }

  /** The job is over. */
  leave(hello: Hello): void {
    this.#jobs.delete(hello.job);
  }

  /**
   * A set-up is here: it goes to its job, or waits for it.
   * @throws AgentError `auth` for another token, `busy` when too many wait
   */
  bring(setup: StorageSetup): void {
    const job = this.#jobs.get(setup.message.job);
    if (job !== undefined) {
      checkSameJob(setup.message, job.hello);
      job.handler(setup);
      return;
    }
    if (this.#waiting.size >= SETUP_WAIT_MAX) {
      throw new AgentError("busy", `Cannot set up storage: ${SETUP_WAIT_MAX} set-ups wait already`);
    }
    const expired = new AbortController();
    this.#waiting.set(setup, expired);
    void this.#expire(setup, expired.signal);
  }

  /** Abandons whatever waits. */
  clear(): void {
    for (const setup of [...this.#waiting.keys()]) {
      this.#take(setup);
      this.#abandon(setup);
    }
  }

  async #expire(setup: StorageSetup, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(SETUP_WAIT_MS, { signal });
    } catch {
      return; // Its job came.
    }
    this.#take(setup);
    this.#abandon(setup);
  }

  #take(setup: StorageSetup): void {
    this.#waiting.get(setup)?.abort();
    this.#waiting.delete(setup);
  }
}

function matches(setup: StorageSetup, hello: Hello): boolean {
  try {
    checkSameJob(setup.message, hello);
    return true;
  } catch {
    return false;
  }
}
