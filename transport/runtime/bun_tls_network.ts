// Mutual TLS 1.3 under Bun, by node:tls over its native sockets: a Network whose connections were
// encrypted, authenticated by the CA and greeted before anybody gets them.
//
// Invariants:
//  1. Neither end hands out a connection before the CA's signature, the time of validity and the
//     greeting were found good; until then not a byte of the user's travels.
//  2. Sessions are never resumed: each connection proves both certificates again.
//  3. A listener never waits for one stranger: handshakes run side by side, at most
//     TLS_HANDSHAKES_MAX, each with a deadline.

import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { Conn, Listener, WaitOptions } from "../conn.ts";
import { cancellation } from "../ground/cancellation.ts";
import { withDeadline } from "../ground/deadline.ts";
import { BunTlsHandshakes } from "./bun_tls_handshakes.ts";
import { BACKLOG_COUNT, TLS_HANDSHAKE_MS } from "./limits.ts";
import { networkError } from "./network_error.ts";
import { NodeListener } from "./node_listener.ts";
import { nodeSocket } from "./node_socket.ts";
import type { Clock, ListenTarget, TlsCredentials, TlsNetwork, TlsOptions } from "./runtime.ts";
import { TcpDoor, type TcpDoorParts } from "./tcp_door.ts";
import { checkCredentials } from "./tls_credentials.ts";
import { tlsError } from "./tls_error.ts";
import {
  type GreetOptions,
  greetPeer,
  NO_HOST_NAME,
  TLS_PROTOCOL,
  tlsAction,
} from "./tls_greet.ts";

export class BunTlsNetwork implements TlsNetwork {
  readonly #clock: Clock;
  readonly #parts: TcpDoorParts;
  readonly #options: TlsOptions;
  readonly #servers = new Set<Server>();
  #credentials: TlsCredentials;

  /** @throws AgentError `usage` when the credentials cannot be used */
  constructor(parts: TcpDoorParts & { readonly clock: Clock }, options: TlsOptions) {
    const { clock } = parts;
    checkCredentials(options.credentials, clock.wallMs());
    this.#clock = clock;
    this.#parts = parts;
    this.#options = options;
    this.#credentials = options.credentials;
  }

  renew(credentials: TlsCredentials): void {
    checkCredentials(credentials, this.#clock.wallMs());
    this.#credentials = credentials;
    for (const server of this.#servers) {
      server.setSecureContext({ ...TLS_PROTOCOL, ...credentials });
    }
  }

  listen(options: ListenTarget): Promise<Listener> {
    const { address: host, port, arrivals } = options;
    const backlog = options.backlog ?? BACKLOG_COUNT;
    const { onRefused } = this.#options;
    return new Promise((resolve, reject) => {
      const server = createServer({
        ...TLS_PROTOCOL,
        ...this.#credentials,
        noDelay: true,
        requestCert: true,
      });
      const onError = (thrown: unknown) => {
        reject(networkError(`listen on "${host}:${port}"`, thrown));
      };
      server.once("error", onError);
      const handshakes = new BunTlsHandshakes(this.#clock, onRefused);
      server.on("connection", (socket) => handshakes.begin(socket));
      server.on("tlsClientError", (thrown, socket) => handshakes.fail(socket, thrown));
      server.listen({ host, port, backlog, exclusive: true }, () => {
        server.off("error", onError);
        const listener = new NodeListener(
          server,
          backlog,
          (at) => arrivals && new TcpDoor(this.#parts, at, arrivals),
        );
        server.on("connection", (socket) => listener.arrived(socket));
        this.#servers.add(server);
        server.once("close", () => this.#servers.delete(server));
        server.on("secureConnection", (socket) => {
          if (handshakes.end(socket)) void this.#receive(socket, listener);
        });
        resolve(listener);
      });
    });
  }

  connect(
    options: { address: string; port: number; timeoutMs: number } & WaitOptions,
  ): Promise<Conn> {
    const { address: host, port, timeoutMs, signal } = options;
    const address = `${host}:${port}`;
    const action = tlsAction("connecting", address);
    return withDeadline(this.#clock, { timeoutMs, action, signal }, async (signal) => {
      const socket = await this.#handshake({ host, port }, action, signal);
      return await this.#greet(socket, { side: "connecting", address, signal });
    });
  }

  #handshake(
    target: { readonly host: string; readonly port: number },
    action: string,
    signal: AbortSignal,
  ): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const options = { ...target, ...TLS_PROTOCOL, ...NO_HOST_NAME, ...this.#credentials };
      const socket = connect(options);
      let connected = false;
      const onAbort = () => {
        reject(cancellation(signal));
        socket.destroy();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      socket.once("connect", () => connected = true);
      socket.on("error", (thrown) => {
        signal.removeEventListener("abort", onAbort);
        reject(connected ? tlsError(action, thrown) : networkError(action, thrown));
      });
      socket.once("secureConnect", () => {
        signal.removeEventListener("abort", onAbort);
        socket.setNoDelay(true);
        resolve(socket);
      });
    });
  }

  /** A handshake that a peer began: its connection is queued once it was greeted. */
  async #receive(socket: TLSSocket, listener: NodeListener): Promise<void> {
    const address = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
    const action = tlsAction("listening", address);
    try {
      const conn = await withDeadline(
        this.#clock,
        { timeoutMs: TLS_HANDSHAKE_MS, action },
        (signal) => this.#greet(socket, { side: "listening", address, signal }),
      );
      listener.offer(conn);
    } catch (error) {
      this.#options.onRefused(tlsError(action, error));
    }
  }

  #greet(
    socket: TLSSocket,
    peer: Pick<GreetOptions, "side" | "address" | "signal">,
  ): Promise<Conn> {
    const { greet } = this.#options;
    return greetPeer(socket, nodeSocket(socket), { ...peer, clock: this.#clock, greet });
  }
}
