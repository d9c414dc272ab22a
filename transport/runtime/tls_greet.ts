// What both runtimes do with a TLS socket whose handshake is over: look at the peer's certificate,
// let the greeting decide, and make it a connection.

import type { TLSSocket } from "node:tls";
import { AgentError } from "../ground/error.ts";
import type { Clock, TlsOptions, TlsPeer } from "./runtime.ts";
import { TcpConn, type TcpSocket } from "./tcp_conn.ts";
import { tlsError } from "./tls_error.ts";

/** What every handshake of ours asks for. */
export const TLS_PROTOCOL = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  rejectUnauthorized: true,
  allowHalfOpen: true,
} as const;

/**
 * For the connecting end: the greeting checks the peer's name, which is an agent's and no host's,
 * so the library is asked to look for none.
 */
export const NO_HOST_NAME = { servername: "", checkServerIdentity: () => undefined } as const;

export interface GreetOptions {
  readonly clock: Clock;
  readonly greet: TlsOptions["greet"];
  readonly side: TlsPeer["side"];
  /** As in "127.0.0.1:7430". */
  readonly address: string;
  /** Fires when the time is up. */
  readonly signal: AbortSignal;
}

/**
 * Takes over `socket` and its stream; when it throws they are on their way to their end.
 * @throws AgentError `auth`
 */
export async function greetPeer(
  socket: TLSSocket,
  stream: TcpSocket,
  options: GreetOptions,
): Promise<TcpConn> {
  const { clock, side, address, signal } = options;
  const onAbort = () => stream.reset();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const certificate = peerCertificate(socket, address);
    const { read, write } = stream;
    const proved = await options.greet({ side, certificate, address, read, write });
    return new TcpConn(stream, clock, proved);
  } catch (error) {
    // In order, for the peer must still read why.
    if (!signal.aborted) void new TcpConn(stream, clock).close();
    throw tlsError(tlsAction(side, address), error);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** As errors name it: "connect to …" or "accept …". */
export function tlsAction(side: TlsPeer["side"], address: string): string {
  return side === "connecting" ? `connect to "${address}"` : `accept "${address}"`;
}

/** A resumed session proves nothing anew, and no certificate is shown in it. */
function peerCertificate(socket: TLSSocket, address: string): Uint8Array {
  const { raw } = socket.getPeerCertificate();
  if (socket.authorized && !socket.isSessionReused() && raw instanceof Uint8Array) return raw;
  const found = "it showed no certificate in this handshake, need one";
  throw new AgentError("auth", `Cannot use "${address}": ${found}`);
}
