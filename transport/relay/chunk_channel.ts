// Both directions of chunks over one MessagePort, the same code at both ends: a bounded pool of
// buffers to send with, and a queue of chunks that came.
//
// Invariants:
//  1. CHUNK_COUNT buffers circulate for each direction, made when first needed; no other is sent.
//  2. A cancelled wait for a buffer or a chunk takes none.

import { assert } from "../ground/assert.ts";
import { Change } from "../ground/change.ts";
import type { AgentError } from "../ground/error.ts";
import { CHUNK_BYTES, CHUNK_COUNT } from "./limits.ts";
import type { RelayMessage } from "./relay_message.ts";

/** A chunk that came. */
export interface Chunk {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
}

export class ChunkChannel {
  readonly #port: MessagePort;
  readonly #free: ArrayBuffer[] = [];
  #made = 0;
  readonly #incoming: Chunk[] = [];
  #ended = false;
  #failure: AgentError | undefined;
  readonly #change = new Change();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Why waits reject; undefined while the channel works. */
  get failure(): AgentError | undefined {
    return this.#failure;
  }

  /** Takes in a message about chunks. */
  deliver(message: Extract<RelayMessage, { kind: "data" | "credit" | "end" }>): void {
    if (message.kind === "data") {
      assert(this.#incoming.length < CHUNK_COUNT, "a peer keeps to its credit");
      assert(message.bytes <= message.buffer.byteLength, "a chunk lies inside its buffer");
      this.#incoming.push(message);
    } else if (message.kind === "credit") this.#free.push(message.buffer);
    else this.#ended = true;
    this.#change.notify();
  }

  /** Makes every wait reject; the first reason stays. */
  fail(error: AgentError): void {
    this.#failure ??= error;
    this.#change.notify();
  }

  /** Waits for a buffer to fill: give it to `send` or to `giveBack`. */
  async buffer(signal: AbortSignal | undefined): Promise<ArrayBuffer> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const free = this.#free.pop();
      if (free !== undefined) return free;
      if (this.#made < CHUNK_COUNT) {
        this.#made += 1;
        return new ArrayBuffer(CHUNK_BYTES);
      }
      await this.#change.next({ signal });
    }
  }

  send(buffer: ArrayBuffer, bytes: number): void {
    this.post({ kind: "data", buffer, bytes }, [buffer]);
  }

  giveBack(buffer: ArrayBuffer): void {
    this.#free.push(buffer);
    this.#change.notify();
  }

  /** Waits for the oldest chunk, which stays until `consumed`. @returns null after the end */
  async chunk(signal: AbortSignal | undefined): Promise<Chunk | null> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const first = this.#incoming[0];
      if (first !== undefined) return first;
      if (this.#ended) return null;
      await this.#change.next({ signal });
    }
  }

  /** Drops the oldest chunk: its buffer goes back to the sender. */
  consumed(): void {
    const chunk = this.#incoming.shift();
    assert(chunk !== undefined, "a chunk is consumed once");
    this.post({ kind: "credit", buffer: chunk.buffer }, [chunk.buffer]);
  }

  post(message: RelayMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}
