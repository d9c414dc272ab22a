// A TCP connection over any runtime's socket: what Deno's and Bun's have in common.
//
// Invariants:
//  1. A cancelled read loses nothing: with a signal, bytes are received into our own buffer, and
//     the next read starts with what has come meanwhile.
//  2. A cancelled write has taken nothing: with a signal, bytes are copied before the socket gets
//     them, and only the wait for room in that buffer can be cancelled. An error of such a write
//     is thrown by the next one, or by `closeWrite`.
//  3. Without a signal no byte is copied.
//  4. At most TCP_BUFFER_BYTES are held for each direction.

import type { Address } from "../conn.ts";
import { ConnBase } from "../conn_base.ts";
import { orCancelled } from "../ground/cancellation.ts";
import { AgentError } from "../ground/error.ts";
import { CLOSE_IDLE_MS, CLOSE_LINGER_MS, TCP_BUFFER_BYTES } from "./limits.ts";
import { networkError } from "./network_error.ts";
import type { Clock } from "./runtime.ts";

/** What a runtime's socket must do. Errors are mapped by the caller. */
export interface TcpSocket {
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
  read(into: Uint8Array): Promise<number | null>;
  write(from: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  /** Frees the socket; outstanding reads and writes reject. */
  close(): void;
  /** As `close`, with RST to the peer. */
  reset(): void;
}

export class TcpConn extends ConnBase {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly peerName: string | undefined;
  readonly #socket: TcpSocket;
  readonly #clock: Clock;
  readonly #name: string;
  #inbox = new Uint8Array(0);
  #inboxAt = 0;
  #inboxEnd = 0;
  #receiving: Promise<number | null> | undefined;
  #direct: Promise<number | null> | undefined;
  #outbox = new Uint8Array(0);
  #flushing: Promise<void> | undefined;
  #peerEnded = false;
  #failure: AgentError | undefined;
  #writeFailure: AgentError | undefined;
  #freed = false;
  #writeClosed: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** @param peerName what the peer proved by its certificate, where it had to show one */
  constructor(socket: TcpSocket, clock: Clock, peerName?: string) {
    super();
    this.peerName = peerName;
    this.#socket = socket;
    this.#clock = clock;
    this.localAddr = { family: "AF_INET", ...socket.local };
    this.remoteAddr = { family: "AF_INET", ...socket.remote };
    this.#name = `${socket.remote.address}:${socket.remote.port}`;
  }

  protected async receive(
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<number | null> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closed !== undefined) throw this.#closedError();
      if (this.#inboxAt < this.#inboxEnd) return this.#takeInbox(into);
      if (this.#peerEnded) return null;
      if (this.#receiving === undefined && signal === undefined) {
        return await this.#receiveDirectly(into);
      }
      this.#receiving ??= this.#receiveInbox(into.length);
      await orCancelled(this.#receiving, signal);
    }
  }

  protected async transmit(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    if (this.#flushing !== undefined) await orCancelled(this.#flushing, signal);
    this.#assertWritable();
    if (signal === undefined) {
      try {
        return await this.#socket.write(from);
      } catch (thrown) {
        throw this.#error("write to", thrown);
      }
    }
    const count = Math.min(from.length, TCP_BUFFER_BYTES);
    if (this.#outbox.length < count) this.#outbox = new Uint8Array(count);
    this.#outbox.set(from.subarray(0, count));
    this.#flushing = this.#flush(this.#outbox.subarray(0, count));
    return count;
  }

  closeWrite(): Promise<void> {
    return this.#writeClosed ??= this.#endWriting();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#drainAndFree();
  }

  abort(reason: string): void {
    if (this.#freed) return;
    this.#failure = new AgentError("reset", `Cannot use "${this.#name}": aborted, ${reason}`);
    this.#freed = true;
    this.#socket.reset();
  }

  /** Into the caller's bytes. `close` must know of it: a socket takes one read at a time. */
  async #receiveDirectly(into: Uint8Array): Promise<number | null> {
    try {
      return await (this.#direct = this.#receiveInto(into));
    } finally {
      this.#direct = undefined;
    }
  }

  #takeInbox(into: Uint8Array): number {
    const count = Math.min(into.length, this.#inboxEnd - this.#inboxAt);
    into.set(this.#inbox.subarray(this.#inboxAt, this.#inboxAt + count));
    this.#inboxAt += count;
    return count;
  }

  async #receiveInto(into: Uint8Array): Promise<number | null> {
    try {
      const count = await this.#socket.read(into);
      if (count === null) this.#peerEnded = true;
      return count;
    } catch (thrown) {
      // A socket that failed once stays failed, whatever the kernel says to the next call.
      this.#failure ??= this.#error("read from", thrown);
      throw this.#failure;
    }
  }

  /** Never rejects: a failure is kept for whoever reads next. */
  async #receiveInbox(wantedBytes: number): Promise<number | null> {
    const size = Math.min(wantedBytes, TCP_BUFFER_BYTES);
    if (this.#inbox.length < size) this.#inbox = new Uint8Array(size);
    try {
      const count = await this.#receiveInto(this.#inbox);
      this.#inboxAt = 0;
      this.#inboxEnd = count ?? 0;
      return count;
    } catch {
      return null; // receiveInto kept the failure.
    } finally {
      this.#receiving = undefined;
    }
  }

  /** Never rejects: a failure is kept for whoever writes next. */
  async #flush(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        done += await this.#socket.write(bytes.subarray(done));
      }
    } catch (thrown) {
      this.#writeFailure ??= this.#error("write to", thrown);
    } finally {
      this.#flushing = undefined;
    }
  }

  #assertWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
    if (this.#writeClosed === undefined) return;
    throw new AgentError("closed", `Cannot write to "${this.#name}": this direction was closed`);
  }

  async #endWriting(): Promise<void> {
    await this.#flushing;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
    try {
      await this.#socket.closeWrite();
    } catch (thrown) {
      throw this.#error("end", thrown);
    }
  }

  async #drainAndFree(): Promise<void> {
    if (this.#freed) return;
    try {
      await this.closeWrite();
      await this.#discardRest();
    } catch {
      // The connection is broken already: closing it asks for nothing more.
    }
    if (this.#freed) return;
    this.#freed = true;
    this.#failure ??= this.#closedError();
    this.#socket.close();
  }

  /**
   * Reads on until the peer ended or is silent. A socket that is closed with unread bytes resets
   * the connection, and the peer could lose what we sent last.
   */
  async #discardRest(): Promise<void> {
    const start = this.#clock.monotonicMs();
    const scrap = new Uint8Array(TCP_BUFFER_BYTES);
    while (!this.#peerEnded && this.#clock.monotonicMs() - start < CLOSE_LINGER_MS) {
      const timer = new AbortController();
      const idle = this.#clock.sleep(CLOSE_IDLE_MS, { signal: timer.signal })
        .then(() => true, () => false);
      const read = (this.#receiving ?? this.#direct ?? this.#receiveInto(scrap)).then(
        () => false,
        () => true,
      );
      const stop = await Promise.race([idle, read]);
      timer.abort();
      if (stop) return;
    }
  }

  #closedError(): AgentError {
    return new AgentError("closed", `Cannot use "${this.#name}": it was closed`);
  }

  /** Our own end explains an error better than the socket does. */
  #error(action: string, thrown: unknown): AgentError {
    return this.#failure ?? networkError(`${action} "${this.#name}"`, thrown);
  }
}
