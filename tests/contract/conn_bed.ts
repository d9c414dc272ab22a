// What an implementation of the stream contract hands to the conformance suite: a bed in which
// connections can be made, and the figures by which it may differ from others.

import type { Address, Conn, Listener, WaitOptions } from "../../transport/conn.ts";

export interface ListenBedOptions {
  /** Where to listen; any free address when absent. */
  readonly address?: Address;
  readonly backlog?: number;
}

/** A place to listen and connect. */
export interface ListeningBed {
  listen(options?: ListenBedOptions): Promise<Listener>;
  connect(address: Address, options: { timeoutMs: number } & WaitOptions): Promise<Conn>;
  /** An address where nobody listens. */
  unusedAddress(): Address | Promise<Address>;
  /**
   * An address that lets a connect wait: nothing answers, or nobody accepts. Absent where the
   * implementation has none.
   */
  silentAddress?(): Address | Promise<Address>;
}

export interface Bed {
  /** Two connected ends. */
  pair(): Promise<readonly [Conn, Conn]>;
  /** Null for an implementation that only carries connections made elsewhere. */
  readonly listening: ListeningBed | null;
  /** Frees everything; all connections of the suite are closed or aborted by then. */
  close(): Promise<void>;
}

export interface ConformanceOptions {
  /** Most bytes that writes may accept while the peer reads nothing. */
  readonly inFlightBytes: number;
  /** Connections open at once in one bed. */
  readonly connections?: number;
  /** Bytes of the long random stream; the environment's CONFORMANCE_BYTES when absent. */
  readonly streamBytes?: number;
  /** Limit of each test, in ms. */
  readonly testTimeoutMs?: number;
}
