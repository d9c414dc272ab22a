// What one end of a numbered connection knows: which of its messages the peer may lack, and how
// many of the peer's came. Messages are numbered by their order, 0, 1, 2, …, in each direction, and
// the numbers go on when another connection takes the place of a broken one.
//
// Pure: numbered_conn.ts sends and receives by it.
//
// Invariants:
//  1. A message is kept from `push` until the peer said that it came.
//  2. `resume` gives exactly the messages that did not come, in order: nothing is missing and
//     nothing comes twice, whatever the broken connection swallowed.

import { AgentError } from "../../transport/mod.ts";
import { CURSOR_BYTES, CURSOR_RECORDS } from "./limits.ts";
import { RecordWindow, type WindowLimits } from "./record_window.ts";

export class NumberedMessages<M> {
  readonly #kept: RecordWindow<M>;
  #received = 0;
  #told = 0;
  #untoldBytes = 0;

  constructor(limits?: WindowLimits) {
    this.#kept = new RecordWindow<M>(limits);
  }

  /** Count of the peer's messages that came. */
  get received(): number {
    return this.#received;
  }

  /** True when so much is unacknowledged that whoever can wait should. */
  get isFull(): boolean {
    return this.#kept.isFull;
  }

  /** True when the peer has everything. */
  get isSettled(): boolean {
    return this.#kept.acknowledged === this.#kept.pushed;
  }

  /** A message of ours is to be sent; `release` is called when the peer has it. */
  push(message: M, bytes: number, release?: () => void): void {
    this.#kept.push(message, bytes, release);
  }

  /** The peer has the first `count` of ours. @throws AgentError `damaged` for more than we sent */
  acknowledge(count: number): void {
    this.#kept.acknowledge(count);
  }

  /**
   * The peer has the first `count` of ours, and takes what comes after them on a new connection.
   * @returns the messages to send on it before any other
   * @throws AgentError `damaged` for a count that was not sent, or is not kept any more
   */
  resume(count: number): M[] {
    if (count < this.#kept.acknowledged) {
      throw new AgentError(
        "damaged",
        `Cannot go on with the job: the peer has ${count} messages, ` +
          `need the ${this.#kept.acknowledged} that it acknowledged`,
      );
    }
    this.#kept.acknowledge(count);
    return this.#kept.unacknowledged();
  }

  /** A message of the peer came whole. @returns true when it is time to tell the peer */
  take(bytes: number): boolean {
    this.#received += 1;
    this.#untoldBytes += bytes;
    return this.#received - this.#told >= CURSOR_RECORDS || this.#untoldBytes >= CURSOR_BYTES;
  }

  /** The peer is told now. @returns the count to tell */
  tell(): number {
    this.#told = this.#received;
    this.#untoldBytes = 0;
    return this.#received;
  }
}
