// Fig. 5 of the patent application, server column (220): the server accepts the client on its
// well-known port (222), receives the client's dynamic port (224), acknowledges (226), connects
// to that port at the address of its own configuration (228-234; 230 is inferred), sends the
// mechanism and the storage transport group (236), receives the STP port (238), connects through
// the storage (240-244), proves the medium and closes the network socket (246).
//
// The main thread does 222 to 226, since they say whose job it is; the job's worker does the rest.

import type { Address, Conn } from "../conn.ts";
import type { ConnectLayer } from "../connect/mod.ts";
import type { Clock } from "../runtime/runtime.ts";
import { type Fallback, StorageError } from "./fallback_reason.ts";
import type { DatabaseConnection } from "./fig5_client.ts";
import { type FlowContext, FlowExchange, type FlowIdentity } from "./flow_exchange.ts";
import {
  ACKNOWLEDGEMENT,
  decodePort,
  decodePortMessage,
  encodeDocument,
  encodeTag,
  encodeU32,
  type Hello,
} from "./flow_messages.ts";
import { type FlowStep, showAddress } from "./flow_trace.ts";
import { STEP_TIMEOUT_MS } from "./limits.ts";
import type { Accepted } from "./listening_port.ts";
import { connectStp, type StorageGroup, type UnusableGroup } from "./stp_steps.ts";

/** A database job that a client announced on the well-known port. */
export interface DatabaseAnnouncement {
  readonly hello: Hello;
  /** The client's dynamic network port. */
  readonly port: number;
  readonly steps: readonly FlowStep[];
}

export interface DatabaseDoorOptions {
  readonly layer: ConnectLayer;
  readonly clock: Clock;
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * Steps 224 and 226, for ListeningPort's `onAccepted`. The client closes the connection.
 * `admit` refuses a job before it is acknowledged by the exchange of names.
 */
export async function receiveAnnouncement(
  accepted: Accepted,
  options: DatabaseDoorOptions,
  admit: (hello: Hello) => void,
): Promise<DatabaseAnnouncement> {
  const { descriptor, trace, steps } = accepted;
  const exchange = new FlowExchange({ ...options, trace }, "5", descriptor);
  const port = decodePort(await exchange.receive("the dynamic port", 4));
  exchange.done("224", `recv(${descriptor}) = dynamic port ${port}`);
  await exchange.send(
    { step: "226", call: `send(${descriptor}, acknowledged)` },
    [encodeU32(ACKNOWLEDGEMENT)],
  );
  const hello = await exchange.receiveHello();
  admit(hello);
  await exchange.sendHello({ ...hello, name: options.name });
  return { hello, port, steps };
}

export interface ConnectBackOptions {
  /** The client's configured address with the announced dynamic port. */
  readonly client: Address;
  readonly identity: FlowIdentity;
  /** The group to use, why it cannot be used, or null when the policy wants the network. */
  readonly group: StorageGroup | UnusableGroup | null;
  /** True when the policy forbids the network for this client's data. */
  readonly storageOnly: boolean;
  readonly prove: (conn: Conn) => Promise<void>;
}

/**
 * Steps 228 to 246.
 * @throws AgentError `refused` | `timeout` | `reset` | `mismatch` | `auth` | `volume`
 */
export async function connectBack(
  context: FlowContext,
  options: ConnectBackOptions,
): Promise<DatabaseConnection> {
  const { layer, trace, signal } = context;
  const { client, identity, group } = options;
  const dynamic = layer.socket("AF_INET", "STREAM", "TCP");
  trace.done("5", "228", `socket(AF_INET, STREAM, TCP) = ${dynamic}`);
  await layer.bind(dynamic, client);
  trace.done("5", "230", `bind(${dynamic}, the client's dynamic port)`);
  await layer.connect(dynamic, client, { timeoutMs: STEP_TIMEOUT_MS, signal });
  trace.done("5", "234", `connect(${dynamic}, ${showAddress(client)})`);
  const exchange = new FlowExchange(context, "5", dynamic);
  await exchange.exchangeHello(identity);
  if (group === null) return await stayOnNetwork(context, exchange, options, null);
  if ("unusable" in group) return await stayOnNetwork(context, exchange, options, group.unusable);
  await exchange.send(
    { step: "236", call: `send(${dynamic}, AF_STP), send(${dynamic}, length, STG ${group.name})` },
    [
      encodeTag("AF_STP"),
      ...encodeDocument({
        type: "stg",
        name: group.name,
        uuid: group.uuid,
        volumeUuids: group.volumeUuids,
        job: identity.job,
        token: identity.token,
      }),
    ],
  );
  const port = decodePortMessage(await exchange.receiveDocument("the STP port"));
  if (port.type === "no-port") {
    exchange.done("238", `recv(${dynamic}) = no port: ${port.reason}`);
    const fallback = { reason: port.code ?? "setup_refused", detail: port.reason } as const;
    return await stayOnNetwork(context, exchange, options, fallback);
  }
  exchange.done("238", `recv(${dynamic}) = STP port ${port.port}, token`);
  const { prove } = options;
  const stp = await connectStp(context, {
    figure: "5",
    network: dynamic,
    group,
    port,
    steps: CONNECT_STEPS,
    prove,
  });
  await layer.close(dynamic);
  trace.done("5", "246", `close(${dynamic}), the dynamic network socket`);
  return { mechanism: "storage", descriptor: stp, fallback: null };
}

const CONNECT_STEPS = { socket: "240", bind: "242", connect: "244" } as const;

/** Tells the client to stay on the dynamic connection, or refuses when only storage is allowed. */
async function stayOnNetwork(
  context: FlowContext,
  exchange: FlowExchange,
  options: ConnectBackOptions,
  fallback: Fallback | null,
): Promise<DatabaseConnection> {
  const { descriptor } = exchange;
  const code = fallback?.reason ?? null;
  const reason = fallback?.detail ?? "channel: network-only";
  const tag = options.storageOnly ? "refused" : "AF_INET";
  await exchange.send(
    { step: "236", call: `send(${descriptor}, ${tag}: ${reason})` },
    [encodeTag(tag), ...encodeDocument({ type: "no-port", code, reason })],
  );
  if (options.storageOnly && fallback !== null) {
    await context.layer.close(descriptor);
    throw new StorageError(fallback);
  }
  context.trace.skipped("5", "238-246", `the job stays on the network: ${reason}`);
  return { mechanism: "network", descriptor, fallback };
}
