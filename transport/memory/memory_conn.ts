// One end of an in-memory connection: two pipes.

import type { Address } from "../conn.ts";
import { ConnBase } from "../conn_base.ts";
import { AgentError } from "../ground/error.ts";
import { BytePipe } from "./byte_pipe.ts";
import { PIPE_BYTES } from "./limits.ts";

export class MemoryConn extends ConnBase {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly #incoming: BytePipe;
  readonly #outgoing: BytePipe;
  #writeEnded = false;
  #ended = false;

  constructor(local: Address, remote: Address, incoming: BytePipe, outgoing: BytePipe) {
    super();
    this.localAddr = local;
    this.remoteAddr = remote;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  protected receive(into: Uint8Array, signal: AbortSignal | undefined): Promise<number | null> {
    return this.#incoming.read(into, signal);
  }

  protected transmit(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    return this.#outgoing.write(from, signal);
  }

  closeWrite(): Promise<void> {
    if (!this.#writeEnded) {
      this.#writeEnded = true;
      this.#outgoing.end();
      this.#outgoing.failWriter(closed());
    }
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.closeWrite();
    if (this.#ended) return;
    this.#ended = true;
    this.#incoming.fail(closed(), reset("the peer closed the connection"));
  }

  abort(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#outgoing.fail(reset(`the peer aborted, ${reason}`), reset(`aborted, ${reason}`));
    this.#incoming.fail(reset(`aborted, ${reason}`), reset(`the peer aborted, ${reason}`));
  }
}

export interface MemoryPairOptions {
  readonly capacityBytes?: number;
}

/** Two connected ends: the first is the one that connected. */
export function memoryPair(
  client: Address,
  server: Address,
  options: MemoryPairOptions = {},
): readonly [MemoryConn, MemoryConn] {
  const capacity = options.capacityBytes ?? PIPE_BYTES;
  const [there, back] = [new BytePipe(capacity), new BytePipe(capacity)];
  return [new MemoryConn(client, server, back, there), new MemoryConn(server, client, there, back)];
}

function closed(): AgentError {
  return new AgentError("closed", "Cannot use the connection: it was closed");
}

function reset(found: string): AgentError {
  return new AgentError("reset", `Cannot use the connection: ${found}`);
}
