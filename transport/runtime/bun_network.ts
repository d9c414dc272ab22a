// TCP by node:net: what Bun does best behind a stream interface.
//
// Invariants:
//  1. A socket that nobody reads is paused once TCP_BUFFER_BYTES wait: the peer's window closes.
//  2. A write is done when the socket has handed all of it to the kernel, so the caller's bytes
//     are never kept.

import { connect, createServer, type Socket } from "node:net";
import type { Conn, Listener, WaitOptions } from "../conn.ts";
import { cancellation } from "../ground/cancellation.ts";
import { withDeadline } from "../ground/deadline.ts";
import { BACKLOG_COUNT } from "./limits.ts";
import { networkError } from "./network_error.ts";
import { NodeListener } from "./node_listener.ts";
import { nodeSocket } from "./node_socket.ts";
import type { Clock, ListenTarget, Network } from "./runtime.ts";
import { TcpConn } from "./tcp_conn.ts";
import { TcpDoor, type TcpDoorParts } from "./tcp_door.ts";

export class BunNetwork implements Network {
  readonly #clock: Clock;
  readonly #parts: TcpDoorParts;

  constructor(parts: TcpDoorParts & { readonly clock: Clock }) {
    this.#clock = parts.clock;
    this.#parts = parts;
  }

  listen(options: ListenTarget): Promise<Listener> {
    const { address: host, port, arrivals } = options;
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
        const listener = new NodeListener(
          server,
          backlog,
          (at) => arrivals && new TcpDoor(this.#parts, at, arrivals),
        );
        take = (socket) => {
          listener.arrived(socket);
          listener.offer(this.#adopt(socket));
        };
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
