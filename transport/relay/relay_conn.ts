// The relayed end of a connection: a Conn on a thread that does not own the socket, over a
// MessagePort to the thread that does (serve_relay.ts).
//
// Invariants:
//  1. It holds at most CHUNK_COUNT chunks for each direction; a writer waits for credit.
//  2. Its owner must close or abort it: only then do the connection and the port go.

import type { Address } from "../conn.ts";
import { ConnBase } from "../conn_base.ts";
import { AgentError, fromErrorRecord, toErrorRecord } from "../ground/error.ts";
import { ChunkChannel } from "./chunk_channel.ts";
import type { RelayMessage } from "./relay_message.ts";

/** The addresses of the connection that is relayed; they cross as plain data with the port. */
export interface RelayAddresses {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly peerName?: string | undefined;
}

export class RelayConn extends ConnBase {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly peerName: string | undefined;
  readonly #port: MessagePort;
  readonly #channel: ChunkChannel;
  readonly #over = Promise.withResolvers<void>();
  #chunkAt = 0;
  #writeEnded = false;
  #closing = false;
  #aborted = false;

  constructor(port: MessagePort, addresses: RelayAddresses) {
    super();
    this.localAddr = addresses.localAddr;
    this.remoteAddr = addresses.remoteAddr;
    this.peerName = addresses.peerName;
    this.#port = port;
    this.#channel = new ChunkChannel(port);
    port.onmessage = (event: MessageEvent) => this.#deliver(event.data);
  }

  protected async receive(
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<number | null> {
    const chunk = await this.#channel.chunk(signal);
    if (chunk === null) return null;
    const count = Math.min(into.length, chunk.bytes - this.#chunkAt);
    into.set(new Uint8Array(chunk.buffer, this.#chunkAt, count));
    this.#chunkAt += count;
    if (this.#chunkAt === chunk.bytes) {
      this.#chunkAt = 0;
      this.#channel.consumed();
    }
    return count;
  }

  protected async transmit(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    this.#assertWritable();
    const buffer = await this.#channel.buffer(signal);
    const count = Math.min(from.length, buffer.byteLength);
    new Uint8Array(buffer).set(from.subarray(0, count));
    this.#channel.send(buffer, count);
    return count;
  }

  closeWrite(): Promise<void> {
    if (!this.#writeEnded) {
      this.#writeEnded = true;
      if (!this.#aborted) this.#channel.post({ kind: "end" });
    }
    return Promise.resolve();
  }

  /** Resolves when the other thread has drained and closed the connection. */
  async close(): Promise<void> {
    if (!this.#closing && !this.#aborted) {
      this.#closing = true;
      await this.closeWrite();
      this.#channel.fail(new AgentError("closed", "Cannot use the connection: it was closed"));
      this.#channel.post({ kind: "close" });
    }
    await this.#over.promise;
  }

  /** Also while a close drains: the close then ends at once. */
  abort(reason: string): void {
    if (this.#aborted) return;
    this.#aborted = true;
    const error = new AgentError("reset", `Cannot use the connection: aborted, ${reason}`);
    this.#channel.fail(error);
    this.#channel.post({ kind: "failed", error: toErrorRecord(error) });
    this.#over.resolve();
  }

  #deliver(message: RelayMessage): void {
    switch (message.kind) {
      case "failed":
        return this.#channel.fail(fromErrorRecord(message.error));
      case "closed":
        this.#port.close();
        return this.#over.resolve();
      case "close":
        return; // Only this end sends it.
      default:
        this.#channel.deliver(message);
    }
  }

  #assertWritable(): void {
    if (this.#channel.failure !== undefined) throw this.#channel.failure;
    if (!this.#writeEnded) return;
    throw new AgentError("closed", "Cannot write to the connection: this direction was closed");
  }
}
