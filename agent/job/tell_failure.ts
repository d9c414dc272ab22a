// Tells the peer of a job why it fails, as far as it still can be told, and ends the connections.

import { type Clock, type ErrorRecord, withDeadline } from "../../transport/mod.ts";
import { TELL_TIMEOUT_MS } from "./limits.ts";
import type { MessageLane } from "./link_conn.ts";

export async function tellFailure(
  lanes: ReadonlySet<MessageLane>,
  error: ErrorRecord,
  clock: Clock,
): Promise<void> {
  const deadline = { timeoutMs: TELL_TIMEOUT_MS, action: "tell the peer of the failure" };
  // On each connection, so that whichever the peer reads next says it.
  const telling = [...lanes].map((lane) =>
    withDeadline(clock, deadline, async (signal) => {
      await lane.sendDocument({ type: "error", error }, { signal });
      await lane.close({ signal });
    }).catch(() => {}) // The peer is gone, then: nobody is left to tell.
  );
  await Promise.all(telling);
  for (const lane of lanes) lane.abort(error.message);
}
