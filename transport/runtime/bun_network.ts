// TCP by node:net: what Bun does best behind a stream interface.
//
// Invariants:
//  1. A socket that nobody reads is paused once TCP_BUFFER_BYTES wait: the peer's window closes.
//  2. A write is done when the socket has handed all of it to the kernel, so the caller's bytes
//     are never kept.

import { connect, createServer, type Server, type Socket } from "node:net";
import type { Conn, Listener, WaitOptions } from "../conn.ts";
import { AcceptQueue } from "../accept_queue.ts";
import { cancellation } from "../ground/cancellation.ts";
import { withDeadline } from "../ground/deadline.ts";
import { AgentError } from "../ground/error.ts";
import { BACKLOG_COUNT } from "./limits.ts";
import { networkError } from "./network_error.ts";
import { nodeSocket } from "./node_socket.ts";
import type { Clock, Network } from "./runtime.ts";
import { TcpConn } from "./tcp_conn.ts";

export class BunNetwork implements Network {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listen(options: { address: string; port: number; backlog?: number }): Promise<Listener> {
    const { address: host, port } = options;
    const backlog = options.backlog ?? BACKLOG_COUNT;
    return new Promise((resolve, reject) => {
      const early: Socket[] = [];
      let take = (socket: Socket): void => {
        early.push(socket);
      };
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => take(socket));
      const onError = (thrown: unknown) => {
        reject(networkError(`listen on "${host}:${port}"`, thrown));
      };
      server.once("error", onError);
      server.listen({ host, port, backlog, exclusive: true }, () => {
        server.off("error", onError);
        const listener = new NodeListener(server, backlog, (socket) => this.#adopt(socket));
        take = (socket) => listener.take(socket);
        for (const socket of early) take(socket);
        resolve(listener);
      });
    });
  }

  connect(
    options: { address: string; port: number; timeoutMs: number } & WaitOptions,
  ): Promise<Conn> {
    const action = `connect to "${options.address}:${options.port}"`;
    const deadline = { timeoutMs: options.timeoutMs, action, signal: options.signal };
    return withDeadline(this.#clock, deadline, (signal) =>
      new Promise<Conn>((resolve, reject) => {
        const { address: host, port } = options;
        const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
        const onAbort = () => {
          reject(cancellation(signal));
          socket.destroy();
        };
        const onError = (thrown: unknown) => {
          signal.removeEventListener("abort", onAbort);
          reject(networkError(action, thrown));
        };
        signal.addEventListener("abort", onAbort, { once: true });
        socket.once("error", onError);
        socket.once("connect", () => {
          signal.removeEventListener("abort", onAbort);
          const conn = this.#adopt(socket);
          socket.off("error", onError);
          resolve(conn);
        });
      }));
  }

  #adopt(socket: Socket): Conn {
    return new TcpConn(nodeSocket(socket), this.#clock);
  }
}

class NodeListener implements Listener {
  readonly addr: Listener["addr"];
  readonly #server: Server;
  readonly #adopt: (socket: Socket) => Conn;
  readonly #queue: AcceptQueue<Conn>;
  #closed: Promise<void> | undefined;

  constructor(server: Server, backlog: number, adopt: (socket: Socket) => Conn) {
    this.#server = server;
    this.#adopt = adopt;
    const bound = server.address();
    if (bound === null || typeof bound === "string") {
      throw new AgentError("failed", "Cannot listen: found no TCP address, need one");
    }
    this.addr = { family: "AF_INET", address: bound.address, port: bound.port };
    this.#queue = new AcceptQueue(`${bound.address}:${bound.port}`, backlog);
    server.on("error", (thrown) => {
      this.#queue.failWaiting(networkError(`accept on "${bound.address}:${bound.port}"`, thrown));
    });
  }

  take(socket: Socket): void {
    const conn = this.#adopt(socket);
    if (!this.#queue.push(conn)) conn.abort("the listener's backlog is full");
  }

  accept(options: WaitOptions = {}): Promise<Conn> {
    return this.#queue.accept(options.signal);
  }

  close(): Promise<void> {
    return this.#closed ??= new Promise((resolve) => {
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
