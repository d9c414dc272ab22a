// The end of a job that is done, when the peer died before it knew that: the network alone cannot
// tell that from a cut, which it waits out for a minute; the storage can.

import { AgentError, type Clock, isHostGone } from "../../transport/mod.ts";
import { NETWORK_MOMENT_MS } from "./limits.ts";
import type { LinkConn } from "./link_conn.ts";
import type { LinkInbox } from "./link_inbox.ts";

export interface PeerSigns {
  /** The storage channel, of which everything was taken; null when there is none any more. */
  readonly data: LinkConn | null;
  /** Nobody else takes from it. */
  readonly inbox: LinkInbox;
  /** True while the network is cut. */
  readonly isCut: () => boolean;
  readonly clock: Clock;
  /** Ends what is received on the channel: the job's. */
  readonly signal: AbortSignal;
  /** Ends the wait. */
  readonly ending: AbortSignal;
}

/**
 * Never resolves.
 * @throws AgentError `unreachable` when the storage showed that the peer's host is gone, and the
 * network is cut: nobody will connect it again; or as `ending` says
 */
export async function untilPeerGone(signs: PeerSigns): Promise<never> {
  const { isCut, clock, ending: signal } = signs;
  if (await showsGone(signs)) {
    while (!isCut()) await clock.sleep(NETWORK_MOMENT_MS, { signal });
    throw new AgentError("unreachable", "Cannot end the job together: the peer's host is gone");
  }
  return await new Promise<never>(() => {});
}

/** What the channel says last; false when it ends in order, and without one. */
async function showsGone({ data, inbox, signal, ending }: PeerSigns): Promise<boolean> {
  if (data === null) return false;
  inbox.listen(data, { signal });
  for (;;) {
    const arrival = await inbox.next(ending);
    if (arrival.from === data) return "failure" in arrival && isHostGone(arrival.failure);
  }
}
