// The end of a job's link: after success it is closed in order, after a failure of ours the peer is
// told why before the connections end. A result stands, whatever becomes of the connections after
// it: what was published or restored is so.

import { toErrorRecord } from "../../transport/mod.ts";
import type { JobLink } from "./link.ts";
import type { WorkerResult } from "./worker_protocol.ts";
import type { WorkerSession } from "./worker_session.ts";

/** Runs the job on its link. @throws what `body` throws, or `cancelled` when that is the cause */
export async function finishLink(
  session: WorkerSession,
  link: JobLink,
  body: () => Promise<WorkerResult>,
): Promise<WorkerResult> {
  let result: WorkerResult;
  try {
    result = await body();
  } catch (error) {
    const cause = session.signal.aborted ? session.signal.reason : error;
    await link.fail(toErrorRecord(cause));
    throw cause;
  }
  await link.finish().catch(() => {}); // The peer is gone; the session ends what is still open.
  return result;
}
