// The serving end of a relay: moves the bytes of a connection that this thread owns to and from a
// MessagePort, so that a job's worker can use what the main thread accepted.
//
// Invariants:
//  1. It is over when the relayed end closed or aborted, never before: also a broken connection
//     waits for that, so that the last message is always the same one.
//  2. An error of the connection crosses as an ErrorRecord and aborts the connection.

import type { Conn } from "../conn.ts";
import { AgentError, fromErrorRecord, toErrorRecord } from "../ground/error.ts";
import { writeAll } from "../ground/write_all.ts";
import { ChunkChannel } from "./chunk_channel.ts";
import type { RelayMessage } from "./relay_message.ts";

/**
 * Relays `conn` until the other end is closed; takes over `conn` and `port`. When the thread at
 * the other end died, abort the relay by `options.signal`.
 * @returns when the connection is closed or aborted; it never rejects
 * @example const { port1, port2 } = new MessageChannel();
 *   serveRelay(conn, port1);
 *   thread.post({ port: port2, localAddr: conn.localAddr, remoteAddr: conn.remoteAddr }, [port2]);
 */
export async function serveRelay(
  conn: Conn,
  port: MessagePort,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const relay = new RelayServer(conn, port);
  const onAbort = () => relay.abandonWithThread();
  if (options.signal?.aborted) onAbort();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  await relay.over;
  options.signal?.removeEventListener("abort", onAbort);
}

class RelayServer {
  readonly #conn: Conn;
  readonly #port: MessagePort;
  readonly #channel: ChunkChannel;
  readonly #over = Promise.withResolvers<void>();
  readonly #writing: Promise<void>;
  #done = false;
  #draining = false;

  constructor(conn: Conn, port: MessagePort) {
    this.#conn = conn;
    this.#port = port;
    this.#channel = new ChunkChannel(port);
    port.onmessage = (event: MessageEvent) => this.#deliver(event.data);
    this.#pumpToPort();
    this.#writing = this.#pumpToConn();
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Aborts the connection, without waiting for the other end. */
  abandon(reason: string): void {
    this.#conn.abort(reason);
    this.#finish();
  }

  /** As `abandon`, when nobody is left who would close the port at its other end. */
  abandonWithThread(): void {
    this.abandon("the thread at its other end is gone");
    this.#port.close();
  }

  #deliver(message: RelayMessage): void {
    switch (message.kind) {
      case "failed":
        return this.abandon(fromErrorRecord(message.error).message);
      case "close":
        this.#drainAndClose();
        return;
      case "closed":
        return; // Only this end sends it.
      default:
        this.#channel.deliver(message);
    }
  }

  async #pumpToPort(): Promise<void> {
    try {
      for (;;) {
        const buffer = await this.#channel.buffer(undefined);
        const count = await this.#conn.read(new Uint8Array(buffer));
        if (count === null) return this.#channel.post({ kind: "end" });
        this.#channel.send(buffer, count);
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  async #pumpToConn(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#channel.chunk(undefined);
        if (chunk === null) return await this.#conn.closeWrite();
        await writeAll(this.#conn, new Uint8Array(chunk.buffer, 0, chunk.bytes));
        this.#channel.consumed();
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** The other end has sent `end` before `close`, so the pump to the connection ends by itself. */
  async #drainAndClose(): Promise<void> {
    this.#draining = true;
    await this.#writing;
    await this.#conn.close();
    this.#finish();
  }

  /** A broken connection; while draining the other end does not listen any more. */
  #fail(thrown: unknown): void {
    if (this.#done || this.#draining || this.#channel.failure !== undefined) return;
    const error = toErrorRecord(thrown);
    this.#channel.fail(fromErrorRecord(error));
    this.#channel.post({ kind: "failed", error });
    this.#conn.abort(error.message);
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#channel.fail(new AgentError("closed", "Cannot relay: the connection was closed"));
    this.#channel.post({ kind: "closed" });
    // The other end closes the port when it has read that; closing it here could overtake it.
    this.#over.resolve();
  }
}
