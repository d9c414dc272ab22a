// A network inside one thread: listeners by address and port, connections as pairs of pipes. For
// tests of everything that only needs streams; it implements the seam's Network.

import { AcceptQueue } from "../accept_queue.ts";
import type { Address, Conn, Listener, WaitOptions } from "../conn.ts";
import { throwIfCancelled } from "../ground/cancellation.ts";
import { AgentError } from "../ground/error.ts";
import type { Network } from "../runtime/runtime.ts";
import { BACKLOG_COUNT, FIRST_DYNAMIC_PORT, LAST_PORT } from "./limits.ts";
import { type MemoryConn, memoryPair } from "./memory_conn.ts";

export class MemoryNetwork implements Network {
  readonly #listeners = new Map<string, MemoryListener>();
  #nextPort = FIRST_DYNAMIC_PORT;

  // deno-lint-ignore require-await -- a failure must reject, not throw
  async listen(
    options: { address: string; port: number; backlog?: number },
  ): Promise<Listener> {
    const port = options.port === 0 ? this.#dynamicPort() : options.port;
    const key = `${options.address}:${port}`;
    if (this.#listeners.has(key)) {
      throw new AgentError(
        "port_in_use",
        `Cannot listen on "${key}": the port is in use, need a free one`,
      );
    }
    const address: Address = { family: "AF_MEMORY", address: options.address, port };
    const queue = new AcceptQueue<MemoryConn>(key, options.backlog ?? BACKLOG_COUNT);
    const listener = new MemoryListener(address, queue, () => this.#listeners.delete(key));
    this.#listeners.set(key, listener);
    return listener;
  }

  // deno-lint-ignore require-await -- a failure must reject, not throw
  async connect(
    options: { address: string; port: number; timeoutMs: number } & WaitOptions,
  ): Promise<Conn> {
    throwIfCancelled(options.signal);
    const key = `${options.address}:${options.port}`;
    const client: Address = {
      family: "AF_MEMORY",
      address: options.address,
      port: this.#dynamicPort(),
    };
    const server: Address = {
      family: "AF_MEMORY",
      address: options.address,
      port: options.port,
    };
    const [near, far] = memoryPair(client, server);
    if (this.#listeners.get(key)?.queue.push(far) === true) return near;
    throw new AgentError(
      "refused",
      `Cannot connect to "${key}": found no listener with room, need one`,
    );
  }

  #dynamicPort(): number {
    const port = this.#nextPort;
    this.#nextPort = port === LAST_PORT ? FIRST_DYNAMIC_PORT : port + 1;
    return port;
  }
}

class MemoryListener implements Listener {
  readonly addr: Address;
  readonly queue: AcceptQueue<MemoryConn>;
  readonly #forget: () => void;
  #closed = false;

  constructor(addr: Address, queue: AcceptQueue<MemoryConn>, forget: () => void) {
    this.addr = addr;
    this.queue = queue;
    this.#forget = forget;
  }

  accept(options: WaitOptions = {}): Promise<Conn> {
    return this.queue.accept(options.signal);
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#forget();
      for (const conn of this.queue.close()) conn.abort("the listener was closed");
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
