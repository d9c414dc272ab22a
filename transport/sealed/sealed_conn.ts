// An encrypted connection over another: a Conn that wraps a Conn, so whatever runs on the one runs
// on the other. It is for the storage (Fig. 3 item 60), whose volumes others may read and write.
//
// Invariants:
//  1. What is delivered was written by the peer, in this place of this stream; anything else ends
//     the connection, with an error at both ends. So does a stream that ends without its end.
//  2. A record is sent whole: a cancelled write has taken nothing, or all that it was given, since
//     only the wait for the record before can be cancelled.
//  3. A cancelled read loses nothing: what came of a record stays until the rest comes.

import type { Address, Conn } from "../conn.ts";
import { ConnBase } from "../conn_base.ts";
import { assert } from "../ground/assert.ts";
import { orCancelled } from "../ground/cancellation.ts";
import { withDeadline } from "../ground/deadline.ts";
import { AgentError } from "../ground/error.ts";
import { writeAll } from "../ground/write_all.ts";
import { type Aead, AEAD_KEY_BYTES, AEAD_TAG_BYTES, type Clock } from "../runtime/mod.ts";
import { CLOSE_MS_MAX, PLAIN_BYTES_MAX, RECORD_BYTES_MAX, RECORD_HEAD_BYTES } from "./limits.ts";
import { RecordOpener, RecordSealer } from "./record_seal.ts";

export interface SealedConnOptions {
  /** By chance, for this connection alone: a key for each direction. */
  readonly secret: Uint8Array;
  /** The listening end sends with the first key. */
  readonly side: "listening" | "connecting";
  readonly aead: Aead;
  readonly clock: Clock;
}

export class SealedConn extends ConnBase {
  readonly #inner: Conn;
  readonly #clock: Clock;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  readonly #outbox = new Uint8Array(RECORD_BYTES_MAX);
  readonly #inbox = new Uint8Array(RECORD_BYTES_MAX);
  /** Bytes of the record in `#inbox` that have come. */
  #come = 0;
  readonly #plain = new Uint8Array(PLAIN_BYTES_MAX);
  #plainAt = 0;
  #plainEnd = 0;
  #isPeerEnded = false;
  #flushing: Promise<void> | undefined;
  #failure: AgentError | undefined;
  #writeFailure: unknown;
  #writeClosed: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** Takes over `inner`, on which nothing else may be sent from now on. */
  constructor(inner: Conn, { secret, side, aead, clock }: SealedConnOptions) {
    super();
    assert(secret.length === 2 * AEAD_KEY_BYTES, "a secret has a key for each direction");
    const keys = [secret.subarray(0, AEAD_KEY_BYTES), secret.subarray(AEAD_KEY_BYTES)] as const;
    const [own, peers] = side === "listening" ? keys : [keys[1], keys[0]];
    this.#inner = inner;
    this.#clock = clock;
    this.#sealer = new RecordSealer(aead, own.slice());
    this.#opener = new RecordOpener(aead, peers.slice());
  }

  get localAddr(): Address {
    return this.#inner.localAddr;
  }

  get remoteAddr(): Address {
    return this.#inner.remoteAddr;
  }

  protected async receive(
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<number | null> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#plainAt < this.#plainEnd) return this.#takePlain(into);
    if (this.#isPeerEnded) return null;
    if (!await this.#fill(RECORD_HEAD_BYTES, signal)) throw this.#break("it was cut off");
    const count = this.#opener.plainBytes(this.#inbox);
    if (count === null) throw this.#break("a record was changed on its way");
    const end = RECORD_HEAD_BYTES + count + AEAD_TAG_BYTES;
    if (!await this.#fill(end, signal)) throw this.#break("it was cut off");
    this.#come = 0;
    const isDirect = into.length >= count;
    const sealed = this.#inbox.subarray(RECORD_HEAD_BYTES, end);
    if (!this.#opener.open(sealed, isDirect ? into : this.#plain)) {
      throw this.#break("a record was changed on its way");
    }
    if (count === 0) this.#isPeerEnded = true;
    if (isDirect) return count === 0 ? null : count;
    this.#plainAt = 0;
    this.#plainEnd = count;
    return this.#takePlain(into);
  }

  protected async transmit(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    if (this.#flushing !== undefined) await orCancelled(this.#flushing, signal);
    this.#assertWritable();
    const count = Math.min(from.length, PLAIN_BYTES_MAX);
    this.#flushing = this.#flush(this.#sealer.seal(from.subarray(0, count), this.#outbox));
    return count;
  }

  closeWrite(): Promise<void> {
    return this.#writeClosed ??= this.#endWriting();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#drainAndClose();
  }

  abort(reason: string): void {
    const found = `aborted, ${reason}`;
    this.#failure ??= new AgentError("reset", `Cannot use the encrypted connection: ${found}`);
    this.#inner.abort(reason);
  }

  #takePlain(into: Uint8Array): number {
    const count = Math.min(into.length, this.#plainEnd - this.#plainAt);
    into.set(this.#plain.subarray(this.#plainAt, this.#plainAt + count));
    this.#plainAt += count;
    return count;
  }

  /** Reads on until `end` bytes of the record have come. @returns false at the end of all bytes */
  async #fill(end: number, signal: AbortSignal | undefined): Promise<boolean> {
    while (this.#come < end) {
      const count = await this.#inner.read(this.#inbox.subarray(this.#come, end), { signal });
      if (count === null) return false;
      this.#come += count;
    }
    return true;
  }

  /** Never rejects: a failure is kept for whoever writes next. */
  async #flush(bytes: number): Promise<void> {
    try {
      await writeAll(this.#inner, this.#outbox.subarray(0, bytes));
    } catch (error) {
      this.#writeFailure ??= error;
    } finally {
      this.#flushing = undefined;
    }
  }

  #assertWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
    if (this.#writeClosed === undefined) return;
    const message = "Cannot write to the encrypted connection: this direction was closed";
    throw new AgentError("closed", message);
  }

  async #endWriting(): Promise<void> {
    await this.#flushing;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
    await this.#flush(this.#sealer.seal(new Uint8Array(0), this.#outbox));
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
    await this.#inner.closeWrite();
  }

  async #drainAndClose(): Promise<void> {
    const deadline = { timeoutMs: CLOSE_MS_MAX, action: "close the encrypted connection" };
    try {
      await withDeadline(this.#clock, deadline, () => this.closeWrite());
    } catch {
      // It is broken already, or nobody takes what was written: closing it asks for no more.
      if (this.#flushing !== undefined) this.#inner.abort("the peer takes nothing any more");
    }
    const message = "Cannot use the encrypted connection: it was closed";
    this.#failure ??= new AgentError("closed", message);
    await this.#inner.close();
  }

  /** What is not the peer's own ends both directions. */
  #break(found: string): AgentError {
    const message = `Cannot read from the encrypted connection: ${found}, need what was sent`;
    const error = new AgentError("reset", message, {
      hint: "See who else can write to the volumes, and whether they are damaged.",
    });
    this.#failure ??= error;
    this.#inner.abort(found);
    return this.#failure;
  }
}
