// The STP half that Fig. 4A and Fig. 5 share: the client's STP socket listens on a dynamic port
// (162-168, 202-208) and accepts (172, 212); the server's binds a dynamic port of its own and
// connects to the received one (142-146, 240-244). Only the numbers differ.

import type { Address } from "../conn.ts";
import { withDeadline } from "../ground/deadline.ts";
import { decodeHex } from "../ground/hex.ts";
import type { FlowContext } from "./flow_exchange.ts";
import type { PortMessage } from "./flow_messages.ts";
import { type Figure, showAddress } from "./flow_trace.ts";
import { STEP_TIMEOUT_MS } from "./limits.ts";

/** A storage transport group as the flows name it. */
export interface StorageGroup {
  readonly name: string;
  readonly uuid: string;
  readonly volumeUuids: readonly string[];
  /** Our host id in the group. */
  readonly host: number;
}

export interface StpListenOptions {
  readonly figure: Figure;
  readonly group: StorageGroup;
  /** Hex of the connection token that the connecting side must show. */
  readonly token: string;
  readonly steps: {
    readonly socket: string;
    readonly bind: string;
    readonly listen: string;
    readonly getsockname: string;
  };
}

/** Opens the listening STP socket: STPsocket, STPbind, STPlisten, STPgetsockname. */
export async function listenStp(
  context: FlowContext,
  options: StpListenOptions,
): Promise<{ descriptor: number; port: number }> {
  const { layer, trace } = context;
  const { figure, group, steps } = options;
  const descriptor = layer.socket("AF_STP", "STREAM", "STP");
  trace.done(figure, steps.socket, `STPsocket(AF_STP, STREAM, STP) = ${descriptor}`);
  await layer.bind(descriptor, dynamicPort(group));
  trace.done(figure, steps.bind, `STPbind(${descriptor}, ${group.name}, dynamic port)`);
  await layer.listen(descriptor, { backlog: 1, token: decodeHex(options.token) });
  trace.done(figure, steps.listen, `STPlisten(${descriptor}, 1)`);
  const address = layer.getsockname(descriptor);
  trace.done(figure, steps.getsockname, `STPgetsockname(${descriptor}) = ${showAddress(address)}`);
  return { descriptor, port: address.port };
}

export interface StpAcceptOptions {
  readonly figure: Figure;
  readonly descriptor: number;
  readonly step: string;
}

/** Accepts the one connection of a listening STP socket and closes the listener. */
export async function acceptStp(context: FlowContext, options: StpAcceptOptions): Promise<number> {
  const { layer, clock, trace, signal } = context;
  const { descriptor } = options;
  const action = `accept the storage connection at step ${options.step}`;
  const stp = await withDeadline(
    clock,
    { timeoutMs: STEP_TIMEOUT_MS, action, signal },
    (signal) => layer.accept(descriptor, { signal }),
  );
  trace.done(options.figure, options.step, `STPaccept(${descriptor}) = ${stp}`);
  await layer.close(descriptor);
  return stp;
}

export interface StpConnectOptions {
  readonly figure: Figure;
  readonly group: StorageGroup;
  readonly port: Extract<PortMessage, { type: "port" }>;
  readonly steps: { readonly socket: string; readonly bind: string; readonly connect: string };
}

/** Connects through the storage: STPsocket, STPbind to a dynamic port of our own, STPconnect. */
export async function connectStp(
  context: FlowContext,
  options: StpConnectOptions,
): Promise<number> {
  const { layer, trace, signal } = context;
  const { figure, group, port, steps } = options;
  const descriptor = layer.socket("AF_STP", "STREAM", "STP");
  trace.done(figure, steps.socket, `STPsocket(AF_STP, STREAM, STP) = ${descriptor}`);
  await layer.bind(descriptor, dynamicPort(group));
  trace.done(figure, steps.bind, `STPbind(${descriptor}, ${group.name}, dynamic port)`);
  const peer: Address = { family: "AF_STP", stg: group.name, host: port.host, port: port.port };
  const token = decodeHex(port.token);
  await layer.connect(descriptor, peer, { timeoutMs: STEP_TIMEOUT_MS, token, signal });
  trace.done(figure, steps.connect, `STPconnect(${descriptor}, ${showAddress(peer)})`);
  return descriptor;
}

function dynamicPort(group: StorageGroup): Address {
  return { family: "AF_STP", stg: group.name, host: group.host, port: 0 };
}
