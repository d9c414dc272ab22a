// The first process's hold on the second: starts it, hears where it listens, and ends it.
//
// Invariant: when `end` returns the second process is gone, and has given its host id back unless
// it had to be killed.

import {
  AgentError,
  type ChildProcess,
  type Clock,
  fromErrorRecord,
  orCancelled,
  type Process,
  withDeadline,
} from "../../transport/mod.ts";
import { READY_TIMEOUT_MS, STOP_TIMEOUT_MS } from "./limits.ts";
import { decodePeerLine, type PeerLine } from "./peer_line.ts";

type Listening = Extract<PeerLine, { type: "listening" }>;

export class SecondProcess {
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #listening = Promise.withResolvers<Listening>();
  readonly #failed = new AbortController();

  constructor(parts: { readonly clock: Clock; readonly process: Process }, command: string[]) {
    this.#clock = parts.clock;
    // Whoever waits hears of it; nobody may wait any more.
    this.#listening.promise.catch(() => {});
    this.#child = parts.process.start(command, { onLine: (line) => this.#take(line) });
    void this.#child.ended.then((code) =>
      this.#fail(new AgentError("failed", `Cannot measure: the second process ended with ${code}`))
    );
  }

  /** Fires with the reason when the second process ends, or says why it cannot go on. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Where it listens. @throws AgentError what it says, `timeout`, `cancelled` */
  listening(signal: AbortSignal): Promise<Listening> {
    const action = "start the second process";
    return withDeadline(
      this.#clock,
      { timeoutMs: READY_TIMEOUT_MS, action, signal },
      (inner) => orCancelled(this.#listening.promise, inner),
    );
  }

  /** Tells it to stop and waits until it is gone. Does not throw. */
  async end(): Promise<void> {
    this.#child.endInput();
    const inTime = { timeoutMs: STOP_TIMEOUT_MS, action: "end the second process" };
    try {
      await withDeadline(this.#clock, inTime, () => this.#child.ended);
    } catch {
      this.#child.kill("SIGKILL"); // Its host id counts as dead after the dead time.
      await this.#child.ended;
    }
  }

  #take(text: string): void {
    try {
      const line = decodePeerLine(text);
      if (line.type === "error") this.#fail(fromErrorRecord(line.error));
      else this.#listening.resolve(line);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#fail(error);
    }
  }

  #fail(error: AgentError): void {
    this.#listening.reject(error);
    this.#failed.abort(error);
  }
}
