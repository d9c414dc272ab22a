// Further parallel STP connections of a database job, after Fig. 5: both network sockets are closed
// by then, so the port of each travels on the first storage connection. The steps are those of 202
// to 212 and 240 to 244 again; the figure has no numbers for them.

import type { Conn } from "../conn.ts";
import type { FlowContext } from "./flow_exchange.ts";
import type { PortMessage } from "./flow_messages.ts";
import type { Tracer } from "./flow_trace.ts";
import { connectStp, offerStp, type StorageGroup } from "./stp_steps.ts";

export interface StreamConnection {
  readonly group: StorageGroup;
  /** Which of the job's streams, from 2. */
  readonly stream: number;
  readonly prove: (conn: Conn) => Promise<void>;
}

type Port = Extract<PortMessage, { type: "port" }>;

const OFFER_STEPS = { socket: "", bind: "", listen: "", getsockname: "", accept: "" } as const;
const CONNECT_STEPS = { socket: "", bind: "", connect: "" } as const;

/**
 * The client's side. Someone else watches the first connection for the peer's end meanwhile.
 * @param token hex of the token that the server must show, `secret` what the connection is
 * encrypted with: the first one then is
 * @param tell tells the server where the connection is to be made
 * @returns the descriptor
 */
export async function offerStream(
  context: FlowContext,
  { group, stream, prove }: StreamConnection,
  { token, secret, tell }: {
    readonly token: string;
    readonly secret: string | undefined;
    readonly tell: (port: Port) => Promise<void>;
  },
): Promise<number> {
  return await offerStp(named(context, stream), {
    figure: "5",
    exchange: null,
    group,
    token,
    secret,
    steps: OFFER_STEPS,
    tell: (port) => tell({ type: "port", host: group.host, port, token, secret }),
    quietProof: true,
    prove,
  });
}

/** The server's side. @returns the descriptor */
export async function connectStream(
  context: FlowContext,
  { group, stream, prove }: StreamConnection,
  port: Port,
): Promise<number> {
  return await connectStp(named(context, stream), {
    figure: "5",
    exchange: null,
    group,
    port,
    steps: CONNECT_STEPS,
    prove,
  });
}

/** The steps say which stream they are for. */
function named(context: FlowContext, stream: number): FlowContext {
  const { trace } = context;
  const named: Tracer = {
    done: (figure, step, call) => trace.done(figure, step, `${call}, stream ${stream}`),
    skipped: (figure, step, why) => trace.skipped(figure, step, why),
  };
  return { ...context, trace: named };
}
