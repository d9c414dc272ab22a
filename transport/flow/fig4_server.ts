// Fig. 4 of the patent application, server column (80): the server initiates a file-system job by
// two connections to the client's well-known port. Steps 82-86 and 90-92 make the first, which
// carries control (and data when there is no storage channel); 94-98 and 100 the second, which
// carries errors and status. With `connections: 1` the second is left out.

import type { Address } from "../conn.ts";
import { AgentError } from "../ground/error.ts";
import {
  checkConnections,
  type FlowContext,
  FlowExchange,
  type FlowIdentity,
  type Step,
} from "./flow_exchange.ts";
import { decodeU32, encodeU32, encodeZeros } from "./flow_messages.ts";
import { showAddress } from "./flow_trace.ts";
import { negotiateVersion } from "./flow_version.ts";
import { STEP_TIMEOUT_MS, ZEROS_BYTES } from "./limits.ts";

/** Descriptors of the network connections of a file-system job. */
export interface Fig4Connections {
  readonly control: number;
  /** Null when the configuration has one connection. */
  readonly errors: number | null;
  /** The version of the job protocol that both speak. */
  readonly version: number;
}

/** Numbers of socket, bind and connect of one connection. */
interface DialSteps {
  readonly socket: string;
  readonly bind: string;
  readonly connect: string;
}

interface Fig4Options {
  readonly client: Address;
  readonly identity: FlowIdentity;
}

/**
 * Connects to the client's agent at its well-known port; after a failure nothing stays open.
 * @throws AgentError `refused` | `timeout` | `reset` | `mismatch` | `auth`
 */
export async function connectFileSystem(
  context: FlowContext,
  options: Fig4Options,
): Promise<Fig4Connections> {
  const opened: number[] = [];
  try {
    return await connectBoth(context, options, opened);
  } catch (error) {
    for (const descriptor of opened) context.layer.abort(descriptor, "the set-up failed");
    throw error;
  }
}

async function connectBoth(
  context: FlowContext,
  { client, identity }: Fig4Options,
  opened: number[],
): Promise<Fig4Connections> {
  const target = { client, opened };
  const first = await dial(context, target, { socket: "82", bind: "84", connect: "86" });
  const control = first.descriptor;
  await first.send(
    { step: "90", call: `send(${control}, ${ZEROS_BYTES} zeros)` },
    [encodeZeros()],
  );
  const clientDescriptor = decodeU32(await first.receive("the client's descriptor", 4));
  if (clientDescriptor === 0) {
    throw new AgentError("reset", "Cannot set up the connection: the client sent descriptor 0");
  }
  first.done("92", `recv(${control}) = descriptor ${clientDescriptor}`);
  const hello = await first.exchangeHello(identity);
  checkConnections(hello, identity.connections);
  const version = negotiateVersion(hello);
  if (identity.connections === 1) {
    context.trace.skipped("4", "94-100", "connections: 1");
    return { control, errors: null, version };
  }
  const second = await dial(context, target, { socket: "94", bind: "96", connect: "98" });
  const step: Step = {
    step: "100",
    call: `send(${second.descriptor}, descriptor ${clientDescriptor})`,
  };
  await second.send(step, [encodeU32(clientDescriptor)]);
  await second.exchangeHello(identity);
  return { control, errors: second.descriptor, version };
}

async function dial(
  context: FlowContext,
  { client, opened }: { readonly client: Address; readonly opened: number[] },
  steps: DialSteps,
): Promise<FlowExchange> {
  const { layer, trace, signal } = context;
  const descriptor = layer.socket("AF_INET", "STREAM", "TCP");
  opened.push(descriptor);
  trace.done("4", steps.socket, `socket(AF_INET, STREAM, TCP) = ${descriptor}`);
  await layer.bind(descriptor, client);
  trace.done("4", steps.bind, `bind(${descriptor}, WKP ${showAddress(client)})`);
  await layer.connect(descriptor, client, { timeoutMs: STEP_TIMEOUT_MS, signal });
  trace.done("4", steps.connect, `connect(${descriptor}, ${showAddress(client)})`);
  return new FlowExchange(context, "4", descriptor);
}
