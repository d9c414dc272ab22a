// Fig. 4A of the patent application, server column (130): in parallel with Fig. 4, on the
// well-known port + 1, the server tells the client which storage transport group to use (132-138),
// gets the port of the client's STP socket (140) and connects to it through the storage (142-146).
// Then both prove that they see the same medium, and the network connection closes.

import type { Address, Conn } from "../conn.ts";
import { AgentError } from "../ground/error.ts";
import { StorageError } from "./fallback_reason.ts";
import { type FlowContext, FlowExchange, type FlowIdentity } from "./flow_exchange.ts";
import { decodePortMessage } from "./flow_messages.ts";
import { showAddress } from "./flow_trace.ts";
import { STEP_TIMEOUT_MS } from "./limits.ts";
import { encryptionWord } from "./stp_encryption.ts";
import { connectStp, earlyVerdict, fallbackOf, type StorageGroup } from "./stp_steps.ts";

export interface ConnectStorageOptions {
  /** The client's well-known port + 1. */
  readonly client: Address;
  readonly identity: FlowIdentity;
  readonly group: StorageGroup;
  /** Proves on every volume that both ends see the same medium. */
  readonly prove: (conn: Conn) => Promise<void>;
}

/**
 * Makes the storage channel of a file-system job.
 * @returns the STP descriptor
 * @throws AgentError `refused` | `timeout` | `reset` | `mismatch` | `auth` | `volume`
 */
export async function connectStorage(
  context: FlowContext,
  options: ConnectStorageOptions,
): Promise<number> {
  const { layer, trace, signal } = context;
  const { client, identity, group } = options;
  const descriptor = layer.socket("AF_INET", "STREAM", "TCP");
  try {
    trace.done("4A", "132", `socket(AF_INET, STREAM, TCP) = ${descriptor}`);
    await layer.bind(descriptor, client);
    trace.done("4A", "134", `bind(${descriptor}, WKP + 1 ${showAddress(client)})`);
    await layer.connect(descriptor, client, { timeoutMs: STEP_TIMEOUT_MS, signal });
    trace.done("4A", "136", `connect(${descriptor}, ${showAddress(client)})`);
    const exchange = new FlowExchange(context, "4A", descriptor);
    await exchange.sendDocument(
      { step: "138", call: `send(${descriptor}, length), send(${descriptor}, STG ${group.name})` },
      {
        type: "stg",
        name: group.name,
        uuid: group.uuid,
        volumeUuids: group.volumeUuids,
        job: identity.job,
        token: identity.token,
        encryption: encryptionWord(group),
      },
    );
    const port = decodePortMessage(await exchange.receiveDocument("the STP port"));
    if (port.type === "no-port") {
      throw new StorageError(fallbackOf(port));
    }
    exchange.done("140", `recv(${descriptor}) = STP port ${port.port}, token`);
    await exchange.exchangeHello(identity);
    const { prove } = options;
    const connecting = connectStp(context, {
      figure: "4A",
      exchange,
      group,
      port,
      steps: CONNECT_STEPS,
      prove,
    });
    return await connecting.catch(async (error) => {
      throw await clientsReason(context, exchange, error);
    });
  } finally {
    await layer.close(descriptor);
    trace.done("4A", "", `close(${descriptor})`);
  }
}

/** The error of the set-up: the client's reason, when it was the client that gave up. */
async function clientsReason(
  context: FlowContext,
  exchange: FlowExchange,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof AgentError)) return error;
  const verdict = await earlyVerdict(context, exchange, error).catch(() => null);
  return verdict?.type === "no-port"
    ? new StorageError(fallbackOf(verdict), { cause: error })
    : error;
}

const CONNECT_STEPS = { socket: "142", bind: "144", connect: "146" } as const;
