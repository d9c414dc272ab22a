// Mutual TLS 1.3 by node:tls, the same on both runtimes: a Network whose connections were
// encrypted, authenticated by the CA and greeted before anybody gets them.
//
// Invariants:
//  1. Neither end hands out a connection before the CA's signature, the time of validity and the
//     greeting were found good; until then not a byte of the user's travels.
//  2. Sessions are never resumed: each connection proves both certificates again.
//  3. A listener never waits for one stranger: handshakes run side by side, at most
//     TLS_HANDSHAKES_MAX, each with a deadline.

import { connect, type ConnectionOptions, createServer, TLSSocket } from "node:tls";
import type { Conn, Listener, WaitOptions } from "../conn.ts";
import { cancellation } from "../ground/cancellation.ts";
import { withDeadline } from "../ground/deadline.ts";
import { AgentError } from "../ground/error.ts";
import { BACKLOG_COUNT, TLS_HANDSHAKE_MS } from "./limits.ts";
import { networkError } from "./network_error.ts";
import { NodeListener } from "./node_listener.ts";
import { nodeSocket, type ResetSocket } from "./node_socket.ts";
import type { Clock, Network, TlsOptions, TlsPeer } from "./runtime.ts";
import { TcpConn } from "./tcp_conn.ts";
import { checkCredentials } from "./tls_credentials.ts";
import { tlsError } from "./tls_error.ts";
import { TlsHandshakes } from "./tls_handshakes.ts";

const PROTOCOL = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  rejectUnauthorized: true,
  allowHalfOpen: true,
  noDelay: true,
} as const;

export class TlsNetwork implements Network {
  readonly #clock: Clock;
  readonly #reset: ResetSocket | undefined;
  readonly #options: TlsOptions;

  /** @throws AgentError `usage` when the credentials cannot be used */
  constructor(
    parts: { readonly clock: Clock; readonly reset?: ResetSocket },
    options: TlsOptions,
  ) {
    checkCredentials(options.credentials);
    this.#clock = parts.clock;
    this.#reset = parts.reset;
    this.#options = options;
  }

  listen(options: { address: string; port: number; backlog?: number }): Promise<Listener> {
    const { address: host, port } = options;
    const backlog = options.backlog ?? BACKLOG_COUNT;
    const { credentials, onRefused } = this.#options;
    return new Promise((resolve, reject) => {
      const server = createServer({ ...PROTOCOL, ...credentials, requestCert: true });
      const onError = (thrown: unknown) => {
        reject(networkError(`listen on "${host}:${port}"`, thrown));
      };
      server.once("error", onError);
      const handshakes = new TlsHandshakes(this.#clock, onRefused);
      server.on("connection", (socket) => handshakes.begin(socket));
      server.on("tlsClientError", (thrown, socket) => handshakes.fail(socket, thrown));
      server.listen({ host, port, backlog, exclusive: true }, () => {
        server.off("error", onError);
        const listener = new NodeListener(server, backlog);
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
    const name = `${host}:${port}`;
    const action = `connect to "${name}"`;
    return withDeadline(this.#clock, { timeoutMs, action, signal }, async (signal) => {
      const socket = await this.#handshake({ host, port }, action, signal);
      return await this.#greet(socket, { side: "connecting", name, signal });
    });
  }

  #handshake(
    target: { readonly host: string; readonly port: number },
    action: string,
    signal: AbortSignal,
  ): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      // The greeting checks the name, which is the agent's and no host's: none is asked for.
      const identity: ConnectionOptions = { servername: "", checkServerIdentity: () => undefined };
      const socket = connect({ ...target, ...PROTOCOL, ...identity, ...this.#options.credentials });
      let connected = false;
      const onAbort = () => {
        reject(cancellation(signal));
        socket.destroy();
      };
      const onError = (thrown: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(connected ? tlsError(action, thrown) : networkError(action, thrown));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      socket.once("error", onError);
      socket.once("connect", () => connected = true);
      socket.once("secureConnect", () => {
        signal.removeEventListener("abort", onAbort);
        resolve(socket);
        // nodeSocket listens from the next turn on; an error between is told by "close" as well.
        socket.off("error", onError);
        socket.on("error", () => {});
      });
    });
  }

  /** A handshake that a peer began: its connection is queued once it was greeted. */
  async #receive(socket: TLSSocket, listener: NodeListener): Promise<void> {
    const name = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
    const action = `accept the connection of "${name}"`;
    try {
      const conn = await withDeadline(
        this.#clock,
        { timeoutMs: TLS_HANDSHAKE_MS, action },
        (signal) => this.#greet(socket, { side: "listening", name, signal }),
      );
      listener.offer(conn);
    } catch (error) {
      this.#options.onRefused(error instanceof AgentError ? error : tlsError(action, error));
    }
  }

  /** Takes over `socket`; when it throws the socket is on its way to its end. */
  async #greet(
    socket: TLSSocket,
    peer: Pick<TlsPeer, "side"> & { readonly name: string; readonly signal: AbortSignal },
  ): Promise<Conn> {
    const stream = nodeSocket(socket, this.#reset);
    const { side, name, signal } = peer;
    const onAbort = () => stream.reset();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const certificate = peerCertificate(socket);
      const { read, write } = stream;
      const proved = await this.#options.greet({ side, certificate, address: name, read, write });
      return new TcpConn(stream, this.#clock, proved);
    } catch (error) {
      if (!signal.aborted) void new TcpConn(stream, this.#clock).close();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function peerCertificate(socket: TLSSocket): Uint8Array {
  const { raw } = socket.getPeerCertificate();
  if (socket.authorized && !socket.isSessionReused() && raw instanceof Uint8Array) return raw;
  throw new AgentError("auth", "Cannot use the connection: the peer showed no valid certificate");
}
