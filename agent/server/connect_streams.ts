// The STP connections of a database job's second stream and further ones, as the server makes them:
// the client tells their ports on the first.

import {
  AgentError,
  connectStream,
  type DatabaseConnection,
  fromErrorRecord,
} from "../../transport/mod.ts";
import type { JobLink, Prove, WorkerSession } from "../job/mod.ts";

export interface ConnectStreamsOptions {
  readonly connection: DatabaseConnection;
  readonly streams: number;
  readonly prove: Prove;
}

/** Does nothing for one stream, nor on the network. @throws AgentError as the flows, and `reset` */
export async function connectStreams(
  session: WorkerSession,
  link: JobLink,
  { connection, streams, prove }: ConnectStreamsOptions,
): Promise<void> {
  const { group } = connection;
  if (streams === 1 || group === null) return;
  const known = session.stepCount;
  const flow = session.flow(AbortSignal.any([session.signal, session.storageLost]));
  const descriptors: number[] = [];
  for (;;) {
    const message = await link.receive();
    const document = message.kind === "document" ? message.document : null;
    if (document?.type === "error") throw fromErrorRecord(document.error);
    if (document?.type === "trace") {
      session.addPeerSteps(document.steps);
      if (descriptors.length === streams - 1) break;
      continue;
    }
    if (document?.type !== "stream-port" || descriptors.length === streams - 1) throw unasked();
    const { host, port, token, secret } = document;
    const stream = { group, stream: descriptors.length + 2, prove };
    const place = { type: "port", host, port, token, secret } as const;
    descriptors.push(await connectStream(flow, stream, place));
  }
  link.addStreams(descriptors.map((descriptor) => session.layer.conn(descriptor)));
  await link.send(session.ownSteps(known));
}

function unasked(): AgentError {
  const message = "Cannot set up the streams: the client sent what it must not";
  return new AgentError("reset", message);
}
