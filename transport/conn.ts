// The stream contract of the transports: what every open socket looks like to the code above it.
//
// This file imports nothing. TCP, STP, the in-memory pair and the relay between threads implement
// it; one conformance suite (tests/contract/) runs over all of them. The shape is Deno.Conn's,
// with a signal on every wait.
//
// Invariants:
//  1. Bytes arrive in order, whole and once, or the connection fails with an error.
//  2. `read` returns null only after the peer's `closeWrite`/`close` and every byte before it.
//  3. After `abort` on either side nothing more is delivered: reads and writes reject.
//  4. At most one `read` and one `write` are outstanding; a second is an assertion failure.

/** Address of an open socket. The family says which mechanism carries it (Fig. 3, 58 and 60). */
export type Address =
  | { readonly family: "AF_INET"; readonly address: string; readonly port: number }
  | {
    readonly family: "AF_STP";
    /** Name of the storage transport group. */
    readonly stg: string;
    /** Host id within the group. */
    readonly host: number;
    readonly port: number;
  }
  | { readonly family: "AF_MEMORY"; readonly address: string; readonly port: number };

/** Options of a wait. Without a signal the wait lasts until the connection ends. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** An open, connected, reliable, ordered, full-duplex byte stream. */
export interface Conn extends AsyncDisposable {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  /** Name that the peer proved by its certificate; absent where the transport asks for none. */
  readonly peerName?: string | undefined;
  /** Bytes that `write` accepted and `read` delivered so far. */
  readonly counters: { readonly sentBytes: number; readonly receivedBytes: number };
  /**
   * Reads at least one byte into `into` (0 only when `into` is empty).
   * @returns count of bytes read, or null at end of stream.
   * @throws TransportError `reset` | `timeout` | `closed` | `cancelled`
   */
  read(into: Uint8Array, options?: WaitOptions): Promise<number | null>;
  /**
   * Writes a prefix of `from`, at least one byte (0 only when `from` is empty). The bytes may be
   * changed by the caller as soon as the promise resolves.
   * @returns count of bytes accepted.
   * @throws TransportError `reset` | `timeout` | `closed` | `cancelled`
   */
  write(from: Uint8Array, options?: WaitOptions): Promise<number>;
  /** Ends the outgoing direction: the peer reads null after the last byte. Idempotent. */
  closeWrite(): Promise<void>;
  /** Drains what was written, ends both directions and frees the socket. Idempotent. */
  close(): Promise<void>;
  /** Ends both directions at once, without draining; the peer's reads and writes reject. */
  abort(reason: string): void;
  /** The incoming bytes as a web stream; do not mix with `read`. */
  readonly readable: ReadableStream<Uint8Array>;
  /** The outgoing bytes as a web stream; do not mix with `write`. */
  readonly writable: WritableStream<Uint8Array>;
}

/** A bound, listening socket. */
export interface Listener extends AsyncDisposable {
  readonly addr: Address;
  /**
   * Waits for the next connection.
   * @throws TransportError `closed` after `close()`, `cancelled` when the signal fires
   */
  accept(options?: WaitOptions): Promise<Conn>;
  /** Stops listening; connections that nobody accepted are aborted. Idempotent. */
  close(): Promise<void>;
}
