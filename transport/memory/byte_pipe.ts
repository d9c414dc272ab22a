// One direction of an in-memory connection: a bounded ring of bytes with one writer, one reader.
//
// Invariants:
//  1. At most `capacity` bytes are held; a writer waits for room, a reader for bytes.
//  2. After `fail` both sides reject, with bytes inside or not; `end` lets the reader finish.
//  3. A cancelled wait moves no byte.

import { Change } from "../ground/change.ts";
import type { AgentError } from "../ground/error.ts";

export class BytePipe {
  readonly #ring: Uint8Array;
  #written = 0;
  #read = 0;
  #ended = false;
  #writerError: AgentError | undefined;
  #readerError: AgentError | undefined;
  readonly #change = new Change();

  constructor(capacityBytes: number) {
    this.#ring = new Uint8Array(capacityBytes);
  }

  /** @returns count of bytes read, null at the end */
  async read(into: Uint8Array, signal: AbortSignal | undefined): Promise<number | null> {
    for (;;) {
      if (this.#readerError !== undefined) throw this.#readerError;
      const held = this.#written - this.#read;
      if (held > 0) return this.#take(into, held);
      if (this.#ended) return null;
      await this.#change.next({ signal });
    }
  }

  /** @returns count of bytes taken, at least one */
  async write(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    for (;;) {
      if (this.#writerError !== undefined) throw this.#writerError;
      const room = this.#ring.length - (this.#written - this.#read);
      if (room > 0) return this.#put(from, room);
      await this.#change.next({ signal });
    }
  }

  /** No more bytes come. */
  end(): void {
    this.#ended = true;
    this.#change.notify();
  }

  /** Both sides reject from now on, unless they do already. */
  fail(reader: AgentError, writer: AgentError): void {
    this.failReader(reader);
    this.failWriter(writer);
  }

  failReader(error: AgentError): void {
    this.#readerError ??= error;
    this.#change.notify();
  }

  failWriter(error: AgentError): void {
    this.#writerError ??= error;
    this.#change.notify();
  }

  #take(into: Uint8Array, held: number): number {
    const count = Math.min(into.length, held);
    const start = this.#read % this.#ring.length;
    const first = Math.min(count, this.#ring.length - start);
    into.set(this.#ring.subarray(start, start + first));
    into.set(this.#ring.subarray(0, count - first), first);
    this.#read += count;
    this.#change.notify();
    return count;
  }

  #put(from: Uint8Array, room: number): number {
    const count = Math.min(from.length, room);
    const start = this.#written % this.#ring.length;
    const first = Math.min(count, this.#ring.length - start);
    this.#ring.set(from.subarray(0, first), start);
    this.#ring.set(from.subarray(first, count), 0);
    this.#written += count;
    this.#change.notify();
    return count;
  }
}
