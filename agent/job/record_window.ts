// What a sender keeps until the receiver has it: records on the storage, for a volume that is lost
// cannot be read again, and all messages on the network. What a channel that dies takes with it is
// sent again from here.
//
// Pure. Records are counted 0, 1, 2, … as they are pushed.
//
// Invariants:
//  1. It holds exactly the records from `acknowledged` up to `pushed`, in order.
//  2. An acknowledgement that goes back is old and ignored; one beyond `pushed` is refused.
//  3. It takes whatever is pushed, also when it is full: who can wait for room does so before.

import { AgentError } from "../../transport/mod.ts";
import { WINDOW_BYTES_MAX, WINDOW_RECORDS_MAX } from "./limits.ts";

export interface WindowLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

interface Kept<R> {
  readonly record: R;
  readonly bytes: number;
  readonly release: (() => void) | undefined;
}

export class RecordWindow<R> {
  readonly #limits: WindowLimits;
  #kept: Kept<R>[] = [];
  #acknowledged = 0;
  #bytes = 0;

  constructor(
    limits: WindowLimits = { maxRecords: WINDOW_RECORDS_MAX, maxBytes: WINDOW_BYTES_MAX },
  ) {
    this.#limits = limits;
  }

  /** Count of records that the receiver has. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Count of records that were pushed. */
  get pushed(): number {
    return this.#acknowledged + this.#kept.length;
  }

  /** True when the next record has to wait for an acknowledgement. */
  get isFull(): boolean {
    const { maxRecords, maxBytes } = this.#limits;
    return this.#kept.length >= maxRecords || this.#bytes >= maxBytes;
  }

  /** @param release called when the receiver has the record: nobody asks for it any more */
  push(record: R, bytes: number, release?: () => void): void {
    this.#kept.push({ record, bytes, release });
    this.#bytes += bytes;
  }

  /**
   * The receiver has the first `received` records.
   * @returns true when room was made
   * @throws AgentError `damaged` for more records than were pushed
   */
  acknowledge(received: number): boolean {
    if (received > this.pushed) {
      throw new AgentError(
        "damaged",
        `Cannot go on with the job: the peer acknowledged ${received} messages, ` +
          `need at most the ${this.pushed} that were sent`,
      );
    }
    const count = received - this.#acknowledged;
    if (count <= 0) return false;
    for (const { bytes, release } of this.#kept.splice(0, count)) {
      this.#bytes -= bytes;
      release?.();
    }
    this.#acknowledged = received;
    return true;
  }

  /** The records that the receiver may lack, oldest first. */
  unacknowledged(): R[] {
    return this.#kept.map(({ record }) => record);
  }

  /** Drops everything without a release: another window took it, or nothing is asked for. */
  clear(): void {
    this.#acknowledged = this.pushed;
    this.#kept = [];
    this.#bytes = 0;
  }
}
