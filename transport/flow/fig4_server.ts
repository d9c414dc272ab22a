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
import { STEP_TIMEOUT_MS, ZEROS_BYTES } from "./limits.ts";

/** Descriptors of the network connections of a file-system job. */
export interface Fig4Connections {
  readonly control: number;
  /** Null when the configuration has one connection. */
  readonly errors: number | null;
}

/** Numbers of socket, bind and connect of one connection. */
interface DialSteps {
  readonly socket: string;
  readonly bind: string;
  readonly connect: string;
}

/**
 * Connects to the client's agent at its well-known port.
 * @throws AgentError `refused` | `timeout` | `reset` | `mismatch` | `auth`
 */
export async function connectFileSystem(
  context: FlowContext,
  options: { readonly client: Address; readonly identity: FlowIdentity },
): Promise<Fig4Connections> {
  const { client, identity } = options;
  const first = await dial(context, client, { socket: "82", bind: "84", connect: "86" });
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
  checkConnections(await first.exchangeHello(identity), identity.connections);
  if (identity.connections === 1) {
    context.trace.skipped("4", "94-100", "connections: 1");
    return { control, errors: null };
  }
  const second = await dial(context, client, { socket: "94", bind: "96", connect: "98" });
  const step: Step = {
    step: "100",
    call: `send(${second.descriptor}, descriptor ${clientDescriptor})`,
  };
  await second.send(step, [encodeU32(clientDescriptor)]);
  await second.exchangeHello(identity);
  return { control, errors: second.descriptor };
}

async function dial(
  context: FlowContext,
  client: Address,
  steps: DialSteps,
): Promise<FlowExchange> {
  const { layer, trace, signal } = context;
  const descriptor = layer.socket("AF_INET", "STREAM", "TCP");
  trace.done("4", steps.socket, `socket(AF_INET, STREAM, TCP) = ${descriptor}`);
  await layer.bind(descriptor, client);
  trace.done("4", steps.bind, `bind(${descriptor}, WKP ${showAddress(client)})`);
  await layer.connect(descriptor, client, { timeoutMs: STEP_TIMEOUT_MS, signal });
  trace.done("4", steps.connect, `connect(${descriptor}, ${showAddress(client)})`);
  return new FlowExchange(context, "4", descriptor);
}
