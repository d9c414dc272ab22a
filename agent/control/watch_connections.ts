// Bounds what strangers can hold of the endpoint: connections at once, and the time that one may
// take to send its next request. The runtimes' own servers do only parts of it.
//
// Invariant: a connection is either in a request or has a deadline; a request whose body does not
// come has the deadline of body_limit.ts.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Clock } from "../../transport/runtime/runtime.ts";
import { CONNECTIONS_MAX, REQUEST_WAIT_MS } from "./limits.ts";

type Socket = IncomingMessage["socket"];

/** Watches the connections of `server` from now on. */
export function watchConnections(server: Server, clock: Pick<Clock, "sleep">): void {
  const waiting = new Map<Socket, AbortController>();
  const open = new Set<Socket>();
  const wait = (socket: Socket) => {
    const request = new AbortController();
    waiting.set(socket, request);
    clock.sleep(REQUEST_WAIT_MS, { signal: request.signal }).then(
      () => socket.destroy(),
      () => {}, // A request began, or the connection ended.
    );
  };
  const settle = (socket: Socket) => {
    waiting.get(socket)?.abort();
    waiting.delete(socket);
  };
  server.on("connection", (socket: Socket) => {
    if (open.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    open.add(socket);
    wait(socket);
    socket.once("close", () => {
      open.delete(socket);
      settle(socket);
    });
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    settle(socket);
    response.once("close", () => {
      if (open.has(socket)) wait(socket);
    });
  });
}
