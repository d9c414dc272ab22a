// Fig. 4A of the patent application, client column (150): the client's agent listens on its
// well-known port + 1 (152-156), accepts (158), receives the storage transport group (160), opens
// an STP socket on a dynamic port (162-168; the text's second "162" is 164), sends that port (170)
// and accepts the server's connection through the storage (172).
//
// The main thread does 152 to 160, since the message says which job's worker does the rest.

import type { Conn } from "../conn.ts";
import { encodeHex } from "../ground/hex.ts";
import { AgentError } from "../ground/error.ts";
import type { ConnectLayer } from "../connect/mod.ts";
import type { Clock, Random } from "../runtime/runtime.ts";
import { setupFallback, StorageError } from "./fallback_reason.ts";
import { type FlowContext, FlowExchange, type FlowIdentity } from "./flow_exchange.ts";
import { decodeStgMessage, type StgMessage } from "./flow_messages.ts";
import type { FlowStep } from "./flow_trace.ts";
import { TOKEN_BYTES } from "./limits.ts";
import type { Accepted } from "./listening_port.ts";
import { makeSecret } from "./stp_encryption.ts";
import { offerStp, type StorageGroup, type UnusableGroup } from "./stp_steps.ts";

/** A set-up connection whose job is known. */
export interface StorageSetup {
  readonly message: StgMessage;
  readonly descriptor: number;
  readonly steps: readonly FlowStep[];
}

export interface StorageDoorOptions {
  readonly layer: ConnectLayer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Step 160, for ListeningPort's `onAccepted`: receives the two messages about the group. */
export async function receiveStorageSetup(
  accepted: Accepted,
  options: StorageDoorOptions,
): Promise<StorageSetup> {
  const { descriptor, trace, steps } = accepted;
  const exchange = new FlowExchange({ ...options, trace }, "4A", descriptor);
  const message = decodeStgMessage(await exchange.receiveDocument("the storage transport group"));
  exchange.done("160", `recv(${descriptor}) = length, STG ${message.name} ${message.uuid}`);
  return { message, descriptor, steps };
}

export interface AcceptStorageOptions {
  /** The set-up connection, at its end of this thread. */
  readonly descriptor: number;
  readonly identity: FlowIdentity;
  readonly message: StgMessage;
  /** The group of that name as this host has it, or why it cannot be used. */
  readonly group: StorageGroup | UnusableGroup;
  readonly random: Random;
  readonly prove: (conn: Conn) => Promise<void>;
}

/**
 * Steps 162 to 172: opens the STP socket, tells its port, accepts, proves the medium, and closes
 * the network connection.
 * @returns the STP descriptor
 * @throws StorageError when the group is not usable here, and what the steps throw
 */
export async function acceptStorage(
  context: FlowContext,
  options: AcceptStorageOptions,
): Promise<number> {
  const { layer, trace } = context;
  const { descriptor } = options;
  const exchange = new FlowExchange(context, "4A", descriptor);
  let told = false;
  try {
    const { group, secret } = await usableGroup(context, exchange, options);
    const token = encodeHex(options.random.bytes(TOKEN_BYTES));
    const tell = async (port: number) => {
      told = true;
      await exchange.sendDocument(
        { step: "170", call: `send(${descriptor}, STP port ${port}, token)` },
        { type: "port", host: group.host, port, token, secret },
      );
      await exchange.exchangeHello(options.identity);
    };
    const { prove } = options;
    return await offerStp(context, {
      figure: "4A",
      exchange,
      group,
      token,
      secret,
      steps: STP_STEPS,
      tell,
      prove,
      quietProof: false,
    });
  } catch (error) {
    if (told && error instanceof AgentError) await sayWhyNot(exchange, error);
    throw error;
  } finally {
    await layer.close(descriptor);
    trace.done("4A", "", `close(${descriptor})`);
  }
}

/** The server learns our reason from the connection that is about to close. */
async function sayWhyNot(exchange: FlowExchange, error: AgentError): Promise<void> {
  const { reason: code, detail: reason } = setupFallback(error, "client");
  const step = { step: "", call: `send(${exchange.descriptor}, no storage: ${reason})` };
  await exchange.sendDocument(step, { type: "no-port", code, reason }).catch(() => {}); // It left.
}

const STP_STEPS = {
  socket: "162",
  bind: "164",
  listen: "166",
  getsockname: "168",
  accept: "172",
} as const;

/** The group that the message names and its secret, or a refusal that the server can show. */
async function usableGroup(
  { layer }: FlowContext,
  exchange: FlowExchange,
  options: AcceptStorageOptions,
): Promise<{ readonly group: StorageGroup; readonly secret: string | undefined }> {
  const { message, random } = options;
  try {
    const group = checkGroup(message, options.group);
    const conn = layer.conn(exchange.descriptor);
    return { group, secret: makeSecret(group, { word: message.encryption, conn, random }) };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const { reason: code, detail: reason } = setupFallback(error, "client");
    await exchange.sendDocument(
      { step: "170", call: `send(${exchange.descriptor}, no port: ${reason})` },
      { type: "no-port", code, reason },
    );
    throw error;
  }
}

/** @throws StorageError unless both hosts mean the same group on the same volumes */
export function checkGroup(
  message: StgMessage,
  group: StorageGroup | UnusableGroup,
): StorageGroup {
  if ("unusable" in group) {
    const { reason, detail } = group.unusable;
    throw new StorageError({ reason, detail: `group "${message.name}" on the client: ${detail}` });
  }
  const same = group.uuid === message.uuid &&
    group.volumeUuids.length === message.volumeUuids.length &&
    group.volumeUuids.every((uuid, index) => uuid === message.volumeUuids[index]);
  if (same) return group;
  const detail = `group "${message.name}" has uuid ${group.uuid} on the client and ` +
    `${message.uuid} on the server, need the same volumes of one formatted group in both ` +
    "configurations";
  throw new StorageError({ reason: "stg_mismatch", detail });
}
