// Mutual TLS 1.3 under Deno: node:tls over Deno's own TCP, so that a connection can be reset and
// held back, which Deno's TLS sockets cannot do by themselves (tls_duplex.ts, tcp_reset.ts).
//
// Invariants: those of bun_tls_network.ts.

import { connect, createServer, type TLSSocket } from "node:tls";
import { AcceptQueue } from "../accept_queue.ts";
import type { Address, Conn, Listener, WaitOptions } from "../conn.ts";
import { withDeadline } from "../ground/deadline.ts";
import { AgentError } from "../ground/error.ts";
import { BACKLOG_COUNT, TLS_HANDSHAKE_MS, TLS_HANDSHAKES_MAX } from "./limits.ts";
import { nodeSocket } from "./node_socket.ts";
import type {
  Clock,
  ListenTarget,
  Network,
  TlsCredentials,
  TlsNetwork,
  TlsOptions,
  TlsPeer,
} from "./runtime.ts";
import { checkCredentials } from "./tls_credentials.ts";
import { type TlsDuplex, tlsDuplex } from "./tls_duplex.ts";
import { tlsError } from "./tls_error.ts";
import { greetPeer, NO_HOST_NAME, TLS_PROTOCOL, tlsAction } from "./tls_greet.ts";

export class DenoTlsNetwork implements TlsNetwork {
  readonly #plain: Network;
  readonly #clock: Clock;
  readonly #options: TlsOptions;
  #credentials: TlsCredentials;

  /** @throws AgentError `usage` when the credentials cannot be used */
  constructor(parts: { readonly plain: Network; readonly clock: Clock }, options: TlsOptions) {
    checkCredentials(options.credentials, parts.clock.wallMs());
    this.#plain = parts.plain;
    this.#clock = parts.clock;
    this.#options = options;
    this.#credentials = options.credentials;
  }

  renew(credentials: TlsCredentials): void {
    checkCredentials(credentials, this.#clock.wallMs());
    this.#credentials = credentials;
  }

  async listen(options: ListenTarget): Promise<Listener> {
    const listener = await this.#plain.listen(options);
    return new TlsListener(listener, {
      backlog: options.backlog ?? BACKLOG_COUNT,
      clock: this.#clock,
      secure: (conn) => this.#accept(conn),
      onRefused: this.#options.onRefused,
    });
  }

  connect(
    options: { address: string; port: number; timeoutMs: number } & WaitOptions,
  ): Promise<Conn> {
    const { timeoutMs, signal } = options;
    const action = tlsAction("connecting", `${options.address}:${options.port}`);
    return withDeadline(this.#clock, { timeoutMs, action, signal }, async (signal) => {
      const conn = await this.#plain.connect({ ...options, signal });
      return await this.#secure(conn, "connecting", signal);
    });
  }

  #accept(conn: Conn): Promise<Conn> {
    const action = tlsAction("listening", nameOf(conn.remoteAddr));
    const deadline = { timeoutMs: TLS_HANDSHAKE_MS, action };
    return withDeadline(
      this.#clock,
      deadline,
      (signal) => this.#secure(conn, "listening", signal),
    );
  }

  /** Takes over `conn`: when it throws the connection is on its way to its end. */
  async #secure(conn: Conn, side: TlsPeer["side"], signal: AbortSignal): Promise<Conn> {
    const address = nameOf(conn.remoteAddr);
    const onAbort = () => conn.abort("the TLS handshake took too long");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort(); // Between the connection and this line.
    try {
      const fed = tlsDuplex(conn);
      const socket = await this.#handshake(fed, side);
      const stream = {
        ...nodeSocket(socket, { reset: () => conn.abort("it was aborted"), flow: fed.gate }),
        local: endOf(conn.localAddr),
        remote: endOf(conn.remoteAddr),
      };
      const { greet } = this.#options;
      return await greetPeer(socket, stream, { clock: this.#clock, greet, side, address, signal });
    } catch (error) {
      throw tlsError(tlsAction(side, address), error);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #handshake({ duplex }: TlsDuplex, side: TlsPeer["side"]): Promise<TLSSocket> {
    const credentials = this.#credentials;
    return new Promise((resolve, reject) => {
      const fail = (thrown: unknown) => {
        reject(thrown);
        duplex.destroy();
      };
      duplex.on("error", fail);
      if (side === "connecting") {
        const options = { socket: duplex, ...TLS_PROTOCOL, ...NO_HOST_NAME, ...credentials };
        const socket = connect(options);
        socket.on("error", fail);
        socket.once("secureConnect", () => resolve(socket));
        return;
      }
      // A server of its own: only a server refuses peers whose certificate is not good.
      const server = createServer({ ...TLS_PROTOCOL, ...credentials, requestCert: true });
      server.once("tlsClientError", (thrown, socket) => fail(reasonOf(socket) ?? thrown));
      server.once("secureConnection", (socket) => {
        socket.on("error", () => {}); // Who reads and writes is told.
        resolve(socket);
      });
      server.emit("connection", duplex);
    });
  }
}

/** Why a certificate was refused: the error itself says only that the socket hung up. */
function reasonOf({ authorizationError }: TLSSocket): Error | null {
  return authorizationError ? new Error(String(authorizationError)) : null;
}

interface TlsListenerOptions {
  readonly backlog: number;
  readonly clock: Clock;
  readonly secure: (conn: Conn) => Promise<Conn>;
  readonly onRefused: (error: AgentError) => void;
}

/** Accepts all the time, for handshakes run side by side; finished ones wait in the queue. */
class TlsListener implements Listener {
  readonly addr: Address;
  readonly #listener: Listener;
  readonly #options: TlsListenerOptions;
  readonly #queue: AcceptQueue<Conn>;
  readonly #closing = new AbortController();
  #handshakes = 0;

  constructor(listener: Listener, options: TlsListenerOptions) {
    this.#listener = listener;
    this.#options = options;
    this.addr = listener.addr;
    this.#queue = new AcceptQueue(nameOf(listener.addr), options.backlog);
    void this.#acceptForever();
  }

  accept(options: WaitOptions = {}): Promise<Conn> {
    return this.#queue.accept(options.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const conn of this.#queue.close()) conn.abort("the listener was closed");
    await this.#listener.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #acceptForever(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const conn = await this.#listener.accept({ signal });
        if (this.#handshakes < TLS_HANDSHAKES_MAX) void this.#receive(conn);
        else conn.abort("too many handshakes are under way");
      } catch (error) {
        if (signal.aborted) return;
        const failed = new AgentError("failed", "Cannot accept: the listener failed", {
          cause: error,
        });
        this.#queue.failWaiting(error instanceof AgentError ? error : failed);
        await this.#options.clock.sleep(ACCEPT_RETRY_MS, { signal }).catch(() => {});
      }
    }
  }

  async #receive(plain: Conn): Promise<void> {
    this.#handshakes++;
    try {
      const conn = await this.#options.secure(plain);
      if (!this.#queue.push(conn)) conn.abort("the listener's backlog is full");
    } catch (error) {
      if (error instanceof AgentError) this.#options.onRefused(error);
      else throw error;
    } finally {
      this.#handshakes--;
    }
  }
}

/** Out of descriptors, for one: some must go first. */
const ACCEPT_RETRY_MS = 100;

function endOf(address: Address): { address: string; port: number } {
  return address.family === "AF_INET" ? address : { address: "", port: 0 };
}

function nameOf(address: Address): string {
  const end = endOf(address);
  return `${end.address}:${end.port}`;
}
