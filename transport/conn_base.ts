// What every implementation of the stream contract has in common: counters, the check that one
// read and one write are outstanding, and the web streams made from `read` and `write`.
//
// Invariants:
//  1. `receive` and `transmit` of the implementation are never entered twice at a time, and never
//     with an empty buffer or a signal that has fired.
//  2. Cancelling `readable` aborts the connection: nobody will take the bytes still on their way.

import type { Address, Conn, WaitOptions } from "./conn.ts";
import { assert } from "./ground/assert.ts";
import { throwIfCancelled } from "./ground/cancellation.ts";
import { writeAll } from "./ground/write_all.ts";
import { STREAM_CHUNK_BYTES } from "./limits.ts";

export abstract class ConnBase implements Conn {
  abstract readonly localAddr: Address;
  abstract readonly remoteAddr: Address;
  readonly #counters = { sentBytes: 0, receivedBytes: 0 };
  #reading = false;
  #writing = false;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  get counters(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return this.#counters;
  }

  async read(into: Uint8Array, options: WaitOptions = {}): Promise<number | null> {
    assert(!this.#reading, "one read is outstanding at a time");
    throwIfCancelled(options.signal);
    if (into.length === 0) return 0;
    this.#reading = true;
    try {
      const count = await this.receive(into, options.signal);
      if (count !== null) this.#counters.receivedBytes += count;
      return count;
    } finally {
      this.#reading = false;
    }
  }

  async write(from: Uint8Array, options: WaitOptions = {}): Promise<number> {
    assert(!this.#writing, "one write is outstanding at a time");
    throwIfCancelled(options.signal);
    if (from.length === 0) return 0;
    this.#writing = true;
    try {
      const count = await this.transmit(from, options.signal);
      this.#counters.sentBytes += count;
      return count;
    } finally {
      this.#writing = false;
    }
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunk = new Uint8Array(STREAM_CHUNK_BYTES);
        const count = await this.read(chunk);
        if (count === null) controller.close();
        else controller.enqueue(chunk.subarray(0, count));
      },
      cancel: (reason) => this.abort(`the reader cancelled: ${String(reason)}`),
    }, { highWaterMark: 0 });
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (chunk) => writeAll(this, chunk),
      close: () => this.closeWrite(),
      abort: (reason) => this.abort(`the writer aborted: ${String(reason)}`),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  abstract closeWrite(): Promise<void>;
  abstract close(): Promise<void>;
  abstract abort(reason: string): void;

  /** `read` of the implementation: at least one byte, or null at the end of the stream. */
  protected abstract receive(
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<number | null>;

  /** `write` of the implementation: takes at least one byte, or throws and has taken none. */
  protected abstract transmit(from: Uint8Array, signal: AbortSignal | undefined): Promise<number>;
}
