// How a running file-system job outlives its network connections. When one breaks, or brings
// nothing any more, both are given up; the server connects to the client's well-known port again
// (Fig. 4), the client waits for that, and the numbered connections of the link go on.
//
//   up --- one breaks ---> in doubt: the other may still say why the peer ends the job
//   up, in doubt --- both broke, silence, the peer connects again ---> cut
//   cut --- both go on over other connections ---> up
//   cut --- the time is over, or the peer refuses ---> the job fails
//
// Invariants:
//  1. A cut has one deadline, however many tries it takes, on the side that connects and on the
//     side that waits.
//  2. Connections of the peer take the place of ours also when we noticed no cut.

import {
  AgentError,
  Change,
  type Clock,
  type Conn,
  throwIfCancelled,
  withDeadline,
} from "../../transport/mod.ts";
import {
  REJOIN_LIMIT_MS,
  REJOIN_PAUSE_MAX_MS,
  REJOIN_PAUSE_MIN_MS,
  REJOIN_TRY_MS,
  REJOIN_WAIT_MS,
  TELL_TIMEOUT_MS,
} from "./limits.ts";
import type { NumberedConn } from "./numbered_conn.ts";

/** The network connections of a job. */
export interface LinkConns {
  readonly control: Conn;
  /** Null: errors and status travel on `control`. */
  readonly errors: Conn | null;
}

export interface RejoinOptions {
  /** Connects again; connection 1 was the first. Null where the peer connects. */
  readonly connect: ((connection: number, signal: AbortSignal) => Promise<LinkConns>) | null;
  readonly onCut: (why: string) => void;
  readonly onRejoined: (afterMs: number) => void;
}

export interface RejoinParts extends RejoinOptions {
  readonly control: NumberedConn;
  /** May be `control`. */
  readonly errors: NumberedConn;
  readonly clock: Clock;
  /** Ended when the job cannot go on, and by the link when the job is over. */
  readonly ended: AbortController;
  /** Fires with `ended`, and when the job is cancelled. */
  readonly signal: AbortSignal;
}

export class NetworkRejoin {
  readonly #parts: RejoinParts;
  readonly #change = new Change();
  #cutAtMs: number | null = null;
  #connection = 1;
  /** Why the last try failed. */
  #found: AgentError | null = null;

  constructor(parts: RejoinParts) {
    this.#parts = parts;
    for (const lane of this.#lanes) lane.arm((error) => this.#broke(error));
  }

  get isCut(): boolean {
    return this.#cutAtMs !== null;
  }

  /** The network carries nothing any more. */
  cut(why: string): void {
    const { clock, signal, onCut } = this.#parts;
    if (this.isCut || signal.aborted) return;
    this.#cutAtMs = clock.monotonicMs();
    this.#found = null;
    for (const lane of this.#lanes) lane.drop(why);
    onCut(why);
    void this.#restore(why);
  }

  /** The peer connected again. */
  take(conns: LinkConns): void {
    const { ended } = this.#parts;
    this.cut("the peer connected again");
    this.#try((signal) => this.#goOn(conns, signal)).catch((error) => {
      drop(conns);
      if (isFinal(error)) ended.abort(error);
    });
  }

  get #lanes(): Set<NumberedConn> {
    return new Set([this.#parts.control, this.#parts.errors]);
  }

  get #isUp(): boolean {
    return [...this.#lanes].every((lane) => lane.isUp);
  }

  #broke(error: AgentError): void {
    if (this.isCut) return; // The try that it belongs to fails.
    if ([...this.#lanes].some((lane) => lane.isUp)) void this.#decideLater(error.message);
    else this.cut(error.message);
  }

  async #decideLater(why: string): Promise<void> {
    const { clock, signal } = this.#parts;
    try {
      await clock.sleep(TELL_TIMEOUT_MS, { signal });
    } catch {
      return; // The job ended, which was the reason.
    }
    if (!this.#isUp) this.cut(why);
  }

  async #restore(why: string): Promise<void> {
    const { clock, signal, ended, connect } = this.#parts;
    const timeoutMs = connect === null ? REJOIN_WAIT_MS : REJOIN_LIMIT_MS;
    try {
      await withDeadline(clock, { timeoutMs, action: "connect again", signal }, async (signal) => {
        if (connect !== null) return await this.#connect(connect, signal);
        while (this.isCut) await this.#change.next({ signal });
      });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (!signal.aborted) ended.abort(this.#lost(why, error, timeoutMs));
    }
  }

  async #connect(
    connect: NonNullable<RejoinOptions["connect"]>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#parts;
    for (let pauseMs = REJOIN_PAUSE_MIN_MS;; pauseMs = Math.min(2 * pauseMs, REJOIN_PAUSE_MAX_MS)) {
      this.#connection += 1;
      try {
        return await this.#try(async (signal) => {
          const conns = await connect(this.#connection, signal);
          await this.#goOn(conns, signal).catch((error) => {
            drop(conns);
            throw error;
          });
        }, signal);
      } catch (error) {
        throwIfCancelled(signal);
        if (!(error instanceof AgentError) || isFinal(error)) throw error;
        this.#found = error;
      }
      await clock.sleep(pauseMs, { signal });
    }
  }

  #try<T>(run: (signal: AbortSignal) => Promise<T>, signal = this.#parts.signal): Promise<T> {
    const deadline = { timeoutMs: REJOIN_TRY_MS, action: "agree with the peer", signal };
    return withDeadline(this.#parts.clock, deadline, run);
  }

  async #goOn(conns: LinkConns, signal: AbortSignal): Promise<void> {
    const { control, errors, clock, onRejoined } = this.#parts;
    await Promise.all([
      control.resume(conns.control, { signal }),
      conns.errors === null ? null : errors.resume(conns.errors, { signal }),
    ]);
    throwIfCancelled(signal);
    if (!this.#isUp) throw new AgentError("reset", "Cannot connect again: it broke at once");
    const afterMs = clock.monotonicMs() - (this.#cutAtMs ?? 0);
    this.#cutAtMs = null;
    onRejoined(afterMs);
    this.#change.notify();
  }

  #lost(why: string, error: AgentError, limitMs: number): AgentError {
    if (error.code === "damaged") return error;
    const last = this.#found === null ? "" : `; last try: ${this.#found.message}`;
    const found = error.code === "timeout"
      ? `no connection came about within ${limitMs / 1000} s${last}`
      : error.message;
    return new AgentError(
      "unreachable",
      `Cannot go on with the job: the network was cut (${why}), and ${found}`,
      { hint: "Check the network and the agent on the other host, and run the job again." },
    );
  }
}

function drop({ control, errors }: LinkConns): void {
  for (const conn of [control, errors]) conn?.abort("the job does not go on over it");
}

/**
 * What another try cannot mend: the peer runs no such job. That nobody listens is no such answer:
 * Bun says so of a network that is down, too.
 */
function isFinal(error: unknown): boolean {
  return error instanceof AgentError &&
    ["auth", "mismatch", "damaged"].includes(error.code);
}
