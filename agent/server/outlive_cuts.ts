// The server's part in a file-system job that outlives a cut of its network: it connects to the
// client's well-known port again (Fig. 4), for the same job and with the same token.

import {
  connectFileSystem,
  type Fig4Connections,
  type FlowStep,
  FlowTrace,
} from "../../transport/mod.ts";
import type { ClientEntry } from "../config/mod.ts";
import type { JobLink, LinkConns, WorkerSession } from "../job/mod.ts";
import { connsOf, networkAddress } from "./filesystem_link.ts";

/** The job runs from now on, over these connections. */
export function outliveCuts(
  session: WorkerSession,
  link: JobLink,
  { client, network }: { readonly client: ClientEntry; readonly network: Fig4Connections },
): void {
  let inUse = network;
  let steps: FlowStep[] = [];
  const connect = async (connection: number, signal: AbortSignal): Promise<LinkConns> => {
    steps = []; // Of a try that comes to nothing nobody wants to see the steps.
    const trace = new FlowTrace("server", session.runtime.clock, (step) => steps.push(step));
    const made = await connectFileSystem({ ...session.flow(signal), trace }, {
      client: networkAddress(client, client.port),
      identity: { ...session.identity, connection },
    });
    for (const old of [inUse.control, inUse.errors]) {
      if (old !== null) session.layer.abort(old, "others took its place");
    }
    inUse = made;
    return connsOf(session, made);
  };
  link.outliveCuts({
    connect,
    onCut: session.networkCut,
    onRejoined: (afterMs) => {
      link.send(session.networkRejoined(afterMs, steps)).catch(() => {}); // The job ends, then.
    },
  });
}
