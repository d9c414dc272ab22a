// The STP half that Fig. 4A and Fig. 5 share: the client's STP socket listens on a dynamic port
// (162-168, 202-208) and accepts (172, 212); the server's binds a dynamic port of its own and
// connects to the received one (142-146, 240-244). Both prove the medium. Only the numbers differ.

import type { Address, Conn } from "../conn.ts";
import { withDeadline } from "../ground/deadline.ts";
import { AgentError, toErrorRecord } from "../ground/error.ts";
import { decodeHex } from "../ground/hex.ts";
import { orCancelled } from "../ground/cancellation.ts";
import { type Fallback, isVolumeFailure, StorageError } from "./fallback_reason.ts";
import type { FlowContext, FlowExchange } from "./flow_exchange.ts";
import {
  decodeVerdict,
  type NoPortMessage,
  type PortMessage,
  type Verdict,
} from "./flow_messages.ts";
import { type GroupEncryption, requireSecret, sealed } from "./stp_encryption.ts";
import { type Figure, showAddress } from "./flow_trace.ts";
import { REASON_TIMEOUT_MS, STEP_TIMEOUT_MS } from "./limits.ts";
import { type WatchedPeer, whilePeerStays } from "./while_peer_stays.ts";

/** A storage transport group as the flows name it. */
export interface StorageGroup {
  readonly name: string;
  readonly uuid: string;
  readonly volumeUuids: readonly string[];
  /** Our host id in the group. */
  readonly host: number;
  readonly encryption: GroupEncryption;
}

/** A group that a host cannot use, and why. */
export interface UnusableGroup {
  readonly unusable: Fallback;
}

export interface StpOfferOptions {
  readonly figure: Figure;
  /** The network connection of the set-up, if any: it ends at once when the peer dies. */
  readonly exchange: FlowExchange | null;
  readonly group: StorageGroup;
  /** Hex of the connection token that the connecting side must show. */
  readonly token: string;
  /** Hex, told with the port; undefined when the connection is not encrypted. */
  readonly secret: string | undefined;
  readonly steps: {
    readonly socket: string;
    readonly bind: string;
    readonly listen: string;
    readonly getsockname: string;
    readonly accept: string;
  };
  /** Tells the connecting side the port. */
  readonly tell: (port: number) => Promise<void>;
  /** True when the peer says nothing more before our verdict, so that a word ends the proof. */
  readonly quietProof: boolean;
  /** Proves on every volume that both ends see the same medium. */
  readonly prove: (conn: Conn) => Promise<void>;
}

/**
 * The listening side: STPsocket, STPbind, STPlisten, STPgetsockname, telling the port, STPaccept of
 * the one connection, medium proof. The listener is closed in every case, the connection after a
 * failure: the next try needs their endpoints.
 * @returns the descriptor of the connection
 */
export async function offerStp(context: FlowContext, options: StpOfferOptions): Promise<number> {
  const { layer, clock, trace } = context;
  const { figure, group, steps } = options;
  const listener = layer.socket("AF_STP", "STREAM", "STP");
  try {
    trace.done(figure, steps.socket, `STPsocket(AF_STP, STREAM, STP) = ${listener}`);
    await layer.bind(listener, dynamicPort(group));
    trace.done(figure, steps.bind, `STPbind(${listener}, ${group.name}, dynamic port)`);
    await layer.listen(listener, { backlog: 1, token: decodeHex(options.token) });
    trace.done(figure, steps.listen, `STPlisten(${listener}, 1)`);
    const address = layer.getsockname(listener);
    const call = `STPgetsockname(${listener}) = ${showAddress(address)}`;
    trace.done(figure, steps.getsockname, call);
    await options.tell(address.port);
    const action = `accept the storage connection at step ${steps.accept}`;
    const stp = await whilePeerStays(watched(context, options.exchange), (signal) =>
      withDeadline(
        clock,
        { timeoutMs: STEP_TIMEOUT_MS, action, signal },
        (signal) => layer.accept(listener, { signal }),
      ));
    trace.done(figure, steps.accept, `STPaccept(${listener}) = ${stp}`);
    await layer.close(listener);
    const proof = { ...options, side: "listening" } as const;
    if (!options.quietProof) return await proveStp(context, stp, proof);
    return await whilePeerStays(
      watched(context, options.exchange),
      (signal) => orCancelled(proveStp(context, stp, proof), signal),
    ).catch((error) => {
      layer.abort(stp, toErrorRecord(error).message);
      throw error;
    });
  } catch (error) {
    await layer.close(listener);
    throw error;
  }
}

export interface StpConnectOptions {
  readonly figure: Figure;
  /** The network connection of the set-up, if any: it ends at once when the peer dies. */
  readonly exchange: FlowExchange | null;
  readonly group: StorageGroup;
  readonly port: Extract<PortMessage, { type: "port" }>;
  readonly steps: { readonly socket: string; readonly bind: string; readonly connect: string };
  /** Proves on every volume that both ends see the same medium. */
  readonly prove: (conn: Conn) => Promise<void>;
}

/**
 * The connecting side: STPsocket, STPbind to a dynamic port of our own, STPconnect, medium proof.
 * The socket is closed after a failure.
 * @returns the descriptor of the connection
 */
export async function connectStp(
  context: FlowContext,
  options: StpConnectOptions,
): Promise<number> {
  const { layer, trace } = context;
  const { figure, group, port, steps } = options;
  const { secret } = port;
  requireSecret(group, secret);
  const descriptor = layer.socket("AF_STP", "STREAM", "STP");
  try {
    trace.done(figure, steps.socket, `STPsocket(AF_STP, STREAM, STP) = ${descriptor}`);
    await layer.bind(descriptor, dynamicPort(group));
    trace.done(figure, steps.bind, `STPbind(${descriptor}, ${group.name}, dynamic port)`);
    const peer: Address = { family: "AF_STP", stg: group.name, host: port.host, port: port.port };
    const token = decodeHex(port.token);
    await whilePeerStays(
      watched(context, options.exchange),
      (signal) => layer.connect(descriptor, peer, { timeoutMs: STEP_TIMEOUT_MS, token, signal }),
    ).catch((error) => {
      throw isNotShown(error) ? notShown(group, port, error) : error;
    });
    trace.done(figure, steps.connect, `STPconnect(${descriptor}, ${showAddress(peer)})`);
  } catch (error) {
    await layer.close(descriptor);
    throw error;
  }
  return await proveStp(context, descriptor, { ...options, secret, side: "connecting" });
}

/** The client told that it listens; then nobody is there only on a medium that is not its own. */
function isNotShown(error: unknown): error is AgentError {
  return error instanceof AgentError && (error.code === "unreachable" || error.code === "refused");
}

function notShown(
  group: StorageGroup,
  port: StpConnectOptions["port"],
  cause: AgentError,
): StorageError {
  const detail = `Cannot prove the medium of group "${group.name}": its first volume does not ` +
    `show that host ${port.host} listens on port ${port.port}, as it says, need one medium`;
  return new StorageError({ reason: "proof_failed", detail }, { cause });
}

/**
 * The client's verdict when the set-up failed here without a cause of our own: it may be the one
 * that gave up, and then says why at once.
 * @returns null when it says nothing
 */
export async function earlyVerdict(
  { clock, signal }: FlowContext,
  exchange: FlowExchange,
  error: AgentError,
): Promise<Verdict | null> {
  const mayHaveLeft = error.code === "reset" || isNotShown(error.cause);
  if (!mayHaveLeft || isVolumeFailure(error)) return null;
  const deadline = { timeoutMs: REASON_TIMEOUT_MS, action: "learn the peer's reason", signal };
  try {
    await withDeadline(clock, deadline, (signal) => exchange.peek({ signal }));
  } catch {
    return null;
  }
  return decodeVerdict(await exchange.receiveDocument("the client's verdict"));
}

/** A client's reason as a fallback. */
export function fallbackOf({ code, reason }: NoPortMessage): Fallback {
  return { reason: code ?? "setup_refused", detail: reason };
}

async function proveStp(
  { layer, trace }: FlowContext,
  descriptor: number,
  options: Pick<StpOfferOptions, "figure" | "group" | "prove" | "secret"> & {
    readonly side: "listening" | "connecting";
  },
): Promise<number> {
  try {
    await options.prove(layer.conn(descriptor));
  } catch (error) {
    layer.abort(descriptor, toErrorRecord(error).message);
    if (!(error instanceof AgentError) || error.code !== "mismatch") throw error;
    throw new StorageError({ reason: "proof_failed", detail: error.message }, { cause: error });
  }
  const { figure, group, secret, side } = options;
  trace.done(figure, "", `medium proved on ${group.volumeUuids.length} volumes`);
  if (secret === undefined) return descriptor;
  // From here on: the nonces of the proof are no secret, and lie on the volumes.
  layer.wrap(descriptor, (conn) => sealed(group, conn, { secret, side }));
  trace.done(figure, "", `${descriptor} is encrypted from here on`);
  return descriptor;
}

/** What the steps through the storage watch meanwhile. */
function watched({ signal }: FlowContext, exchange: FlowExchange | null): WatchedPeer {
  return { exchange, signal, action: "set up the storage connection" };
}

function dynamicPort(group: StorageGroup): Address {
  return { family: "AF_STP", stg: group.name, host: group.host, port: 0 };
}
