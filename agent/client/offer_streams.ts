// The STP connections of a database job's second stream and further ones, as the client offers them
// on the first: one after the other, so that one listener's endpoint is enough.

import {
  AgentError,
  encodeHex,
  freshSecret,
  type OfferedConnection,
  offerStream,
  TOKEN_BYTES,
} from "../../transport/mod.ts";
import type { JobLink, Prove, WorkerSession } from "../job/mod.ts";

export interface OfferStreamsOptions {
  readonly connection: OfferedConnection;
  /** Of this host's configuration. */
  readonly streams: number;
  /** As the server confirmed: one that knows nothing of streams says 1. */
  readonly confirmed: number;
  readonly prove: Prove;
}

/**
 * Does nothing for one stream, nor on the network, where one connection carries them all.
 * @throws AgentError `mismatch` when the server means another count, and as the flows
 */
export async function offerStreams(
  session: WorkerSession,
  link: JobLink,
  { connection, streams, confirmed, prove }: OfferStreamsOptions,
): Promise<void> {
  if (confirmed !== streams) throw mismatch(streams, confirmed);
  const { group } = connection;
  if (streams === 1 || group === null) return;
  const known = session.stepCount;
  const flow = session.flow(AbortSignal.any([session.signal, session.storageLost]));
  const descriptors: number[] = [];
  for (let stream = 2; stream <= streams; stream += 1) {
    const { random } = session.runtime;
    const token = encodeHex(random.bytes(TOKEN_BYTES));
    const secret = connection.isEncrypted ? freshSecret(random) : undefined;
    const offering = await link.meanwhile((spoke) =>
      offerStream(
        { ...flow, signal: AbortSignal.any([flow.signal, spoke]) },
        { group, stream, prove },
        {
          token,
          secret,
          tell: ({ host, port }) => link.send({ type: "stream-port", host, port, token, secret }),
        },
      )
    );
    descriptors.push(offering);
  }
  link.addStreams(descriptors.map((descriptor) => session.layer.conn(descriptor)));
  // The server waits for this: nobody speaks before both ends know all connections.
  await link.send(session.ownSteps(known));
}

function mismatch(ours: number, theirs: number): AgentError {
  const message = `Cannot go on with the job: the server means ${theirs} streams, ` +
    `need ${ours} as \`streams\` of the database says`;
  return new AgentError("mismatch", message, {
    hint: "Install the same release of the agent on both hosts.",
  });
}
