// Where a client's daemon takes requests for the write-ahead logs of its databases. Each log has a
// job of its own that stands (carry_wal.ts); the first request starts it, and one that comes after
// it ended starts the next.
//
// Invariants: an answer is the server's word; a request whose connection ended is asked once more
// over a new one, since asking twice is asking once; every request has a deadline, and their count
// has a limit, for each holds a file in memory.

import { AgentError, type Clock, fromErrorRecord, withDeadline } from "../../transport/mod.ts";
import type { JobThread, WalAction, WalAnswer } from "../job/mod.ts";
import { WAL_REQUEST_MS, WAL_REQUESTS_MAX } from "./limits.ts";

/** The job that carries a log, as far as the desk knows it. */
export type LogCarrier = Pick<JobThread, "onWalAnswer" | "askWal" | "cancel" | "ended" | "job">;

export interface WalDeskParts {
  readonly clock: Clock;
  /** Starts the job that carries the log of this database. @throws AgentError `not_found`, … */
  readonly start: (database: string) => LogCarrier;
}

/** The answers that are no failure. */
export type WalOutcome = Exclude<WalAnswer, { type: "refused" }>;

export class WalDesk {
  readonly #parts: WalDeskParts;
  readonly #carriers = new Map<string, Carrier>();

  constructor(parts: WalDeskParts) {
    this.#parts = parts;
  }

  /**
   * Asks for a file of the log of a database, or that one be kept.
   * @throws AgentError what the server refuses, `unreachable` | `timeout` | `busy`, …
   */
  async ask(database: string, action: WalAction): Promise<WalOutcome> {
    const first = this.#carrier(database);
    try {
      return await this.#answer(first, action);
    } catch (error) {
      // One that never came about says why; one that stood may have been of a server's last life.
      if (!first.hasEnded || !first.stood) throw error;
      return await this.#answer(this.#carrier(database), action);
    }
  }

  /** What stands was begun with another configuration: the next requests begin anew. */
  renew(): void {
    for (const carrier of this.#carriers.values()) carrier.cancel();
  }

  #carrier(database: string): Carrier {
    const standing = this.#carriers.get(database);
    if (standing !== undefined && !standing.isOver) return standing;
    const carrier = new Carrier(this.#parts.start(database));
    this.#carriers.set(database, carrier);
    return carrier;
  }

  async #answer(carrier: Carrier, action: WalAction): Promise<WalOutcome> {
    const doing = action.type === "push" ? "archive" : "fetch";
    const deadline = { timeoutMs: WAL_REQUEST_MS, action: `${doing} "${action.name}"` };
    try {
      const answer = await withDeadline(this.#parts.clock, deadline, () => carrier.ask(action));
      if (answer.type === "refused") throw fromErrorRecord(answer.error);
      return answer;
    } catch (error) {
      // Whatever holds it up may hold up the next one as well.
      if (error instanceof AgentError && error.code === "timeout") carrier.cancel();
      throw error;
    }
  }
}

interface Waiting {
  readonly resolve: (answer: WalAnswer) => void;
  readonly reject: (error: AgentError) => void;
}

/** One standing job, and who waits for its answers. */
class Carrier {
  /** True once it has answered: its connection stood. */
  stood = false;
  /** Its connection is gone. */
  hasEnded = false;
  /** Takes no more. */
  isOver = false;
  readonly #thread: LogCarrier;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(thread: LogCarrier) {
    this.#thread = thread;
    thread.onWalAnswer = (id, answer) => {
      this.stood = true;
      this.#waiting.get(id)?.resolve(answer);
      this.#waiting.delete(id);
    };
    void thread.ended.then(() => this.#end());
  }

  ask(action: WalAction): Promise<WalAnswer> {
    if (this.#waiting.size >= WAL_REQUESTS_MAX) {
      const message = `Cannot take "${action.name}": ${WAL_REQUESTS_MAX} files wait already`;
      throw new AgentError("busy", message, { hint: "Try again." });
    }
    const id = this.#lastId += 1;
    const answer = new Promise<WalAnswer>((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject })
    );
    this.#thread.askWal({ id, action });
    return answer;
  }

  cancel(): void {
    this.isOver = true;
    this.#thread.cancel();
  }

  #end(): void {
    this.hasEnded = true;
    this.isOver = true;
    const { error } = this.#thread.job.view();
    const reason = fromErrorRecord(
      error ?? { code: "closed", message: "Cannot reach the log: its connection ended" },
    );
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
