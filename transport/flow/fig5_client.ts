// Fig. 5 of the patent application, client column (180): the client initiates a database job. It
// listens on a dynamic network port (182-188), tells the server that port over the server's
// well-known port (190-196A), accepts the server's connection back (198) and closes the first,
// which is "not being used for anything". Over the dynamic connection it learns the mechanism and
// the storage transport group (200), opens an STP socket (202-208), sends its port (210), accepts
// through the storage (212), proves the medium, and closes the network socket (214). From then on
// everything of the job travels through the storage.
//
// When the storage cannot be used the job may stay on the dynamic connection: the server's tag
// AF_INET says so at 200, or after the client's verdict when the storage connection did not come
// about (fig5_server.ts); what was left out, 214 at least, is traced as skipped.

import type { Address, Conn } from "../conn.ts";
import { encodeHex } from "../ground/hex.ts";
import { AgentError, toErrorRecord } from "../ground/error.ts";
import { withDeadline } from "../ground/deadline.ts";
import type { Random } from "../runtime/runtime.ts";
import { type Fallback, setupFallback, StorageError } from "./fallback_reason.ts";
import { checkGroup } from "./fig4a_client.ts";
import { type FlowContext, FlowExchange, type FlowIdentity } from "./flow_exchange.ts";
import {
  ACKNOWLEDGEMENT,
  decodePortMessage,
  decodeStgMessage,
  decodeTag,
  decodeU32,
  encodeU32,
  type StgMessage,
  type Verdict,
} from "./flow_messages.ts";
import { showAddress } from "./flow_trace.ts";
import { negotiateVersion } from "./flow_version.ts";
import { STEP_TIMEOUT_MS, TOKEN_BYTES } from "./limits.ts";
import { makeSecret } from "./stp_encryption.ts";
import { offerStp, type StorageGroup, type UnusableGroup } from "./stp_steps.ts";
import { whilePeerStays } from "./while_peer_stays.ts";

export interface ConnectDatabaseOptions {
  /** The server's well-known port. */
  readonly server: Address;
  /** Where the dynamic port listens; its port is 0. */
  readonly listen: Address;
  readonly identity: FlowIdentity;
  /** The groups of this host by name, or why one cannot be used. */
  readonly group: (name: string) => StorageGroup | UnusableGroup;
  readonly random: Random;
  readonly prove: (conn: Conn) => Promise<void>;
  /** Fires when this host lost the group. */
  readonly lost?: AbortSignal | undefined;
}

/** The one connection of a database job. */
export interface DatabaseConnection {
  readonly mechanism: "storage" | "network";
  readonly descriptor: number;
  /** Why the job stays on the network; null on storage, and when the policy wants the network. */
  readonly fallback: Fallback | null;
  /** The group that carries it; null on the network. */
  readonly group: StorageGroup | null;
}

/** As the client has it: it is the one that asks for things. */
export interface OfferedConnection extends DatabaseConnection {
  /** Further storage connections of the job then are, too. */
  readonly isEncrypted: boolean;
}

export interface NegotiatedConnection extends OfferedConnection {
  /** Version of the job protocol that both sides speak. */
  readonly version: number;
}

/** @throws AgentError `refused` | `timeout` | `reset` | `mismatch` | `auth` | `port_in_use` */
export async function connectDatabase(
  context: FlowContext,
  options: ConnectDatabaseOptions,
): Promise<NegotiatedConnection> {
  const { layer, trace } = context;
  const listener = await listenDynamic(context, options.listen);
  let dynamic: { readonly descriptor: number; readonly version: number };
  try {
    const wellKnown = await announcePort(context, options, layer.getsockname(listener).port);
    try {
      dynamic = await acceptBack(context, options, { listener, wellKnown });
    } finally {
      await layer.close(wellKnown.descriptor);
    }
    trace.done("5", "", `close(${wellKnown.descriptor}), the connection to the WKP`);
  } finally {
    await layer.close(listener);
  }
  trace.done("5", "", `close(${listener}), the dynamic listener`);
  const { descriptor, version } = dynamic;
  return { ...await chooseMechanism(context, options, descriptor), version };
}

/** Steps 182 to 188. */
async function listenDynamic(context: FlowContext, listen: Address): Promise<number> {
  const { layer, trace } = context;
  const listener = layer.socket("AF_INET", "STREAM", "TCP");
  trace.done("5", "182", `socket(AF_INET, STREAM, TCP) = ${listener}`);
  await layer.bind(listener, listen);
  trace.done("5", "184", `bind(${listener}, dynamic port)`);
  await layer.listen(listener, { backlog: 1 });
  trace.done("5", "186", `listen(${listener}, 1)`);
  const address = layer.getsockname(listener);
  trace.done("5", "188", `getsockname(${listener}) = ${showAddress(address)}`);
  return listener;
}

/** Steps 190 to 196A; returns the connection to the server's well-known port. */
async function announcePort(
  context: FlowContext,
  options: ConnectDatabaseOptions,
  port: number,
): Promise<FlowExchange> {
  const { layer, trace, signal } = context;
  const { server } = options;
  const descriptor = layer.socket("AF_INET", "STREAM", "TCP");
  try {
    trace.done("5", "190", `socket(AF_INET, STREAM, TCP) = ${descriptor}`);
    await layer.bind(descriptor, server);
    trace.done("5", "192", `bind(${descriptor}, WKP ${showAddress(server)})`);
    await layer.connect(descriptor, server, { timeoutMs: STEP_TIMEOUT_MS, signal });
    trace.done("5", "194", `connect(${descriptor}, ${showAddress(server)})`);
    const exchange = new FlowExchange(context, "5", descriptor);
    await exchange.send(
      { step: "196", call: `send(${descriptor}, dynamic port ${port})` },
      [encodeU32(port)],
    );
    const answer = decodeU32(await exchange.receive("the acknowledgement", 4));
    if (answer !== ACKNOWLEDGEMENT) {
      throw new AgentError("reset", `Cannot set up the connection: found ${answer}, need an AOK`);
    }
    exchange.done("196A", `recv(${descriptor}) = acknowledged`);
    await exchange.exchangeHello(options.identity);
    return exchange;
  } catch (error) {
    layer.abort(descriptor, toErrorRecord(error).message);
    throw error;
  }
}

/**
 * Step 198: the server connects to the dynamic port and shows the job's token. It keeps the
 * connection to its well-known port until then, whose end says at once that it will not come.
 */
async function acceptBack(
  context: FlowContext,
  options: ConnectDatabaseOptions,
  { listener, wellKnown }: { readonly listener: number; readonly wellKnown: FlowExchange },
): Promise<{ descriptor: number; version: number }> {
  const { layer, clock, trace, signal } = context;
  const action = "accept the server's connection back";
  const hint = "See the server's log, and check the address of this client in its configuration.";
  const watched = { exchange: wellKnown, signal, action, hint };
  const descriptor = await whilePeerStays(watched, (signal) =>
    withDeadline(
      clock,
      { timeoutMs: STEP_TIMEOUT_MS, action, hint, signal },
      (signal) => layer.accept(listener, { signal }),
    ));
  trace.done("5", "198", `accept(${listener}) = ${descriptor}`);
  const hello = await new FlowExchange(context, "5", descriptor).exchangeHello(options.identity);
  return { descriptor, version: negotiateVersion(hello) };
}

/** Steps 200 to 214, or the skipping of them. */
async function chooseMechanism(
  context: FlowContext,
  options: ConnectDatabaseOptions,
  dynamic: number,
): Promise<OfferedConnection> {
  const { layer, trace } = context;
  const exchange = new FlowExchange(context, "5", dynamic);
  const tag = decodeTag(await exchange.receive("the mechanism", 4));
  if (tag !== "AF_STP") return await withoutStorage(context, exchange, tag);
  const message = decodeStgMessage(await exchange.receiveDocument("the STG"));
  exchange.done("200", `recv(${dynamic}) = AF_STP, STG ${message.name} ${message.uuid}`);
  const offer = await tryStorage(context, exchange, { ...options, message });
  const { stp, group, isEncrypted, verdict } = offer;
  const step = verdict.type === "ready"
    ? { step: "", call: `send(${dynamic}, ready)` }
    : { step: offer.told ? "" : "210", call: `send(${dynamic}, no port: ${verdict.reason})` };
  await exchange.sendDocument(step, verdict);
  const second = decodeTag(await exchange.receive("the mechanism", 4));
  if (second !== "AF_STP") {
    if (stp !== null) layer.abort(stp, "the job stays on the network");
    return await withoutStorage(context, exchange, second, offer.told ? "214" : "202-214");
  }
  if (stp === null) {
    throw new AgentError("reset", "Cannot set up the connection: found AF_STP, need another way");
  }
  await layer.close(dynamic);
  trace.done("5", "214", `close(${dynamic}), the dynamic network socket`);
  return { mechanism: "storage", descriptor: stp, fallback: null, group, isEncrypted };
}

/** The storage connection, or why there is none; `told` when the server knows a port. */
interface Offer {
  readonly stp: number | null;
  readonly group: StorageGroup | null;
  readonly isEncrypted: boolean;
  readonly verdict: Verdict;
  readonly told: boolean;
}

/** Steps 202 to 212. */
async function tryStorage(
  context: FlowContext,
  exchange: FlowExchange,
  options: ConnectDatabaseOptions & { readonly message: StgMessage },
): Promise<Offer> {
  const { message, lost, prove } = options;
  const signal = lost === undefined ? context.signal : AbortSignal.any([context.signal, lost]);
  const { descriptor } = exchange;
  let told = false;
  try {
    const group = checkGroup(message, options.group(message.name));
    const { random } = options;
    const conn = context.layer.conn(descriptor);
    const secret = makeSecret(group, { word: message.encryption, conn, random });
    const token = encodeHex(random.bytes(TOKEN_BYTES));
    const tell = async (port: number) => {
      told = true;
      await exchange.sendDocument(
        { step: "210", call: `send(${descriptor}, STP port ${port}, token)` },
        { type: "port", host: group.host, port, token, secret },
      );
    };
    const stp = await offerStp({ ...context, signal }, {
      figure: "5",
      exchange,
      group,
      token,
      secret,
      steps: STP_STEPS,
      tell,
      prove,
      quietProof: true,
    });
    return { stp, group, isEncrypted: secret !== undefined, verdict: { type: "ready" }, told };
  } catch (error) {
    if (!(error instanceof AgentError) || context.signal.aborted) throw error;
    const { reason: code, detail: reason } = lost?.aborted
      ? { reason: "client_stg_lost", detail: error.message } as const
      : setupFallback(error, "client");
    return {
      stp: null,
      group: null,
      isEncrypted: false,
      verdict: { type: "no-port", code, reason },
      told,
    };
  }
}

const STP_STEPS = {
  socket: "202",
  bind: "204",
  listen: "206",
  getsockname: "208",
  accept: "212",
} as const;

/** The tags AF_INET and refused are followed by the reason. */
async function withoutStorage(
  context: FlowContext,
  exchange: FlowExchange,
  tag: "AF_INET" | "refused",
  skipped = "202-214",
): Promise<OfferedConnection> {
  const answer = decodePortMessage(await exchange.receiveDocument("the reason"));
  if (answer.type !== "no-port") {
    throw new AgentError("reset", "Cannot set up the connection: found a port, need a reason");
  }
  const { code, reason } = answer;
  if (tag === "refused") {
    throw new StorageError({ reason: code ?? "setup_refused", detail: reason });
  }
  exchange.done("200", `recv(${exchange.descriptor}) = AF_INET: ${reason}`);
  context.trace.skipped("5", skipped, `the job stays on the network: ${reason}`);
  const fallback = code === null ? null : { reason: code, detail: reason };
  const { descriptor } = exchange;
  return { mechanism: "network", descriptor, fallback, group: null, isEncrypted: false };
}
