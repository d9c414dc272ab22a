// A listening node:net or node:tls server as a Listener: connections wait in a queue of our own.

import type { Server, Socket } from "node:net";
import type { Conn, Listener, WaitOptions } from "../conn.ts";
import { AcceptQueue } from "../accept_queue.ts";
import { AgentError } from "../ground/error.ts";
import { networkError } from "./network_error.ts";
import type { TcpDoor } from "./tcp_door.ts";

export class NodeListener implements Listener {
  readonly addr: Extract<Listener["addr"], { family: "AF_INET" }>;
  readonly #server: Server;
  readonly #queue: AcceptQueue<Conn>;
  readonly #door: TcpDoor | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @param server listens already
   * @param openDoor makes the door of the address that it listens at
   */
  constructor(
    server: Server,
    backlog: number,
    openDoor: (listening: { address: string; port: number }) => TcpDoor | undefined,
  ) {
    this.#server = server;
    const bound = server.address();
    if (bound === null || typeof bound === "string") {
      throw new AgentError("failed", "Cannot listen: found no TCP address, need one");
    }
    this.addr = { family: "AF_INET", address: bound.address, port: bound.port };
    this.#queue = new AcceptQueue(`${bound.address}:${bound.port}`, backlog);
    this.#door = openDoor(bound);
    server.on("error", (thrown) => {
      this.#queue.failWaiting(networkError(`accept on "${bound.address}:${bound.port}"`, thrown));
    });
  }

  /** One came in, whatever becomes of it. */
  arrived(socket: Socket): void {
    this.#door?.arrived(socket.remoteAddress ?? "");
  }

  /** Takes over a connection; one too many is aborted. */
  offer(conn: Conn): void {
    if (!this.#queue.push(conn)) conn.abort("the listener's backlog is full");
  }

  accept(options: WaitOptions = {}): Promise<Conn> {
    return this.#queue.accept(options.signal);
  }

  close(): Promise<void> {
    return this.#closed ??= new Promise((resolve) => {
      this.#door?.close();
      for (const conn of this.#queue.close()) conn.abort("the listener was closed");
      // Its callback waits for all accepted connections; ours may live on.
      this.#server.close();
      resolve();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
