// The connections of a job that has one for each of its streams: the first carries everything that
// is no record, too.
//
// Invariants:
//  1. Records are numbered over all connections. One that comes before its turn is held, and its
//     connection is not read meanwhile: at most one of each is here.
//  2. The sender sends them in their order, so the one whose turn it is always comes.

import { AgentError, type Conn, type WaitOptions } from "../../transport/mod.ts";
import { LinkConn, type LinkMessage, type MessageLane } from "./link_conn.ts";
import type { Arrival } from "./link_inbox.ts";

export interface SendOptions extends WaitOptions {
  /** Whose stream the record is of, counted from 0; it matters where `addStreams` was called. */
  readonly lane?: number | undefined;
}

export interface ReleaseOptions extends SendOptions {
  /** Called when the record is not asked for again: the peer has it, or nobody keeps it. */
  readonly release?: () => void;
}

export class StreamLanes {
  /** Those beside the first. */
  readonly further: readonly LinkConn[];
  readonly #early = new Map<number, Arrival>();

  constructor(conns: readonly Conn[]) {
    this.further = conns.map((conn) => new LinkConn(conn));
  }

  /** The connection of a stream, counted from 0; null where the first one carries it. */
  of(stream: number | undefined): LinkConn | null {
    return stream === undefined || stream === 0 ? null : this.further[stream - 1] ?? null;
  }

  has(lane: MessageLane): boolean {
    return this.further.some((one) => one === lane);
  }

  /**
   * Holds a record that comes before number `next`.
   * @returns false for everything else
   * @throws AgentError `damaged` when every connection waits for another one
   */
  hold(arrival: Arrival, next: number): boolean {
    if (this.further.length === 0 || !("message" in arrival)) return false;
    const sequence = sequenceOf(arrival.message);
    if (sequence === null || sequence <= next) return false;
    this.#early.set(sequence, arrival);
    if (this.#early.size <= this.further.length) return true;
    const message = `Cannot go on with the job: found no record ${next} on any connection`;
    throw new AgentError("damaged", message);
  }

  /** The held record whose turn it is. */
  take(next: number): Arrival | null {
    const arrival = this.#early.get(next) ?? null;
    this.#early.delete(next);
    return arrival;
  }
}

function sequenceOf(message: LinkMessage | null): number | null {
  return message?.kind === "data" || message?.kind === "restore" ? message.record.sequence : null;
}
