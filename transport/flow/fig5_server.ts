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
import { withDeadline } from "../ground/deadline.ts";
import { AgentError, toErrorRecord } from "../ground/error.ts";
import { type Fallback, setupFallback, StorageError } from "./fallback_reason.ts";
import type { DatabaseConnection } from "./fig5_client.ts";
import { type FlowContext, FlowExchange, type FlowIdentity } from "./flow_exchange.ts";
import {
  ACKNOWLEDGEMENT,
  decodePort,
  decodePortMessage,
  decodeVerdict,
  encodeDocument,
  encodeTag,
  encodeU32,
  type Hello,
  type Verdict,
} from "./flow_messages.ts";
import { type FlowStep, showAddress } from "./flow_trace.ts";
import { STEP_TIMEOUT_MS } from "./limits.ts";
import type { Accepted } from "./listening_port.ts";
import { encryptionWord } from "./stp_encryption.ts";
import {
  connectStp,
  earlyVerdict,
  fallbackOf,
  type StorageGroup,
  type StpConnectOptions,
  type UnusableGroup,
} from "./stp_steps.ts";

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
 * Steps 224 and 226, for ListeningPort's `onAccepted`; `holdAnnouncement` ends the connection.
 * `admit` refuses a job before it is acknowledged by the exchange of names; of `busy` the client
 * is told.
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
  try {
    admit(hello);
  } catch (error) {
    const record = toErrorRecord(error);
    // Other reasons are for our own log: they may tell a stranger what is configured here.
    if (record.code === "busy") {
      await exchange.sendRefusal(record);
      await options.layer.close(descriptor); // In order, so that the refusal arrives.
    }
    throw error;
  }
  await exchange.sendHello({ ...hello, name: options.name });
  return { hello, port, steps };
}

/**
 * Keeps the client's connection to the well-known port until the client closes it after step 198:
 * while it stands the client knows that this process lives and means to connect back.
 * @param ended resolves when nobody will connect back any more
 */
export async function holdAnnouncement(
  { descriptor }: Accepted,
  { layer, clock, signal }: DatabaseDoorOptions,
  ended: Promise<void>,
): Promise<void> {
  const over = new AbortController();
  void ended.then(() => over.abort());
  const either = AbortSignal.any([signal, over.signal]);
  const action = "wait for the client's end of the announcement";
  try {
    const deadline = { timeoutMs: STEP_TIMEOUT_MS, action, signal: either };
    const nothing = new Uint8Array(1);
    await withDeadline(clock, deadline, (signal) => layer.recv(descriptor, nothing, { signal }));
  } catch {
    // The job's worker finds out by itself what became of the client.
  } finally {
    await layer.close(descriptor);
  }
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
  /** Fires when this host lost the group. */
  readonly lost?: AbortSignal | undefined;
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
        encryption: encryptionWord(group),
      }),
    ],
  );
  const port = decodePortMessage(await exchange.receiveDocument("the STP port"));
  if (port.type === "no-port") {
    exchange.done("238", `recv(${dynamic}) = no port: ${port.reason}`);
    return await stayOnNetwork(context, exchange, options, fallbackOf(port));
  }
  exchange.done("238", `recv(${dynamic}) = STP port ${port.port}, token`);
  const tried = await tryStorage(context, exchange, { ...options, group, port });
  if (typeof tried !== "number") return await giveUpStorage(context, exchange, options, tried);
  const verdict = decodeVerdict(await exchange.receiveDocument("the client's verdict"));
  if (verdict.type === "no-port") {
    layer.abort(tried, verdict.reason);
    const fallback = fallbackOf(verdict);
    return await giveUpStorage(context, exchange, options, { fallback, verdict });
  }
  await exchange.send({ step: "", call: `send(${dynamic}, AF_STP: both ends stand)` }, [
    encodeTag("AF_STP"),
  ]);
  await layer.close(dynamic);
  trace.done("5", "246", `close(${dynamic}), the dynamic network socket`);
  return { mechanism: "storage", descriptor: tried, fallback: null, group };
}

/** A storage connection that did not come about, and the client's verdict if it was read. */
interface FailedStorage {
  readonly fallback: Fallback;
  readonly verdict: Verdict | null;
}

/** Steps 240 to 244. @returns the STP descriptor, or why there is none */
async function tryStorage(
  context: FlowContext,
  exchange: FlowExchange,
  options: Pick<ConnectBackOptions, "prove" | "lost"> & Pick<StpConnectOptions, "group" | "port">,
): Promise<number | FailedStorage> {
  const { group, port, prove, lost } = options;
  const signal = lost === undefined ? context.signal : AbortSignal.any([context.signal, lost]);
  try {
    return await connectStp({ ...context, signal }, {
      figure: "5",
      exchange,
      group,
      port,
      steps: CONNECT_STEPS,
      prove,
    });
  } catch (error) {
    if (!(error instanceof AgentError) || context.signal.aborted) throw error;
    if (lost?.aborted) {
      const fallback = { reason: "server_stg_lost", detail: error.message } as const;
      return { fallback, verdict: null };
    }
    const verdict = await earlyVerdict(context, exchange, error);
    const fallback = verdict?.type === "no-port"
      ? fallbackOf(verdict)
      : setupFallback(error, "server");
    return { fallback, verdict };
  }
}

/** The last steps of a set-up that failed after 238: the client's verdict is read in any case. */
async function giveUpStorage(
  context: FlowContext,
  exchange: FlowExchange,
  options: ConnectBackOptions,
  { fallback, verdict }: FailedStorage,
): Promise<DatabaseConnection> {
  const { descriptor } = exchange;
  await sendTag(exchange, options, fallback);
  if (verdict === null) decodeVerdict(await exchange.receiveDocument("the client's verdict"));
  if (options.storageOnly) {
    await context.layer.close(descriptor);
    throw new StorageError(fallback);
  }
  context.trace.skipped("5", "246", `the job stays on the network: ${fallback.detail}`);
  return { mechanism: "network", descriptor, fallback, group: null };
}

const CONNECT_STEPS = { socket: "240", bind: "242", connect: "244" } as const;

/** Keeps the job on the dynamic connection, or refuses when only storage is allowed. */
async function stayOnNetwork(
  context: FlowContext,
  exchange: FlowExchange,
  options: ConnectBackOptions,
  fallback: Fallback | null,
): Promise<DatabaseConnection> {
  const { descriptor } = exchange;
  const reason = await sendTag(exchange, options, fallback);
  if (options.storageOnly && fallback !== null) {
    await context.layer.close(descriptor);
    throw new StorageError(fallback);
  }
  context.trace.skipped("5", "238-246", `the job stays on the network: ${reason}`);
  return { mechanism: "network", descriptor, fallback, group: null };
}

/** Tells the client what becomes of the job without the storage. @returns the reason in words */
async function sendTag(
  exchange: FlowExchange,
  options: ConnectBackOptions,
  fallback: Fallback | null,
): Promise<string> {
  const code = fallback?.reason ?? null;
  const reason = fallback?.detail ?? "channel: network-only";
  const tag = options.storageOnly ? "refused" : "AF_INET";
  await exchange.send(
    { step: "236", call: `send(${exchange.descriptor}, ${tag}: ${reason})` },
    [encodeTag(tag), ...encodeDocument({ type: "no-port", code, reason })],
  );
  return reason;
}
