// What becomes of a bug of ours that shows in a route of the control endpoint, which answers 500
// `internal`: a broken assertion ends the process as everywhere, anything else is logged with its
// stack and the daemon goes on, for a look at it must not cost the jobs that run.

import { AssertionFailure } from "../transport/mod.ts";
import type { DaemonParts } from "./daemon_parts.ts";

export function tellRouteBug(
  { log, onAssertion }: Pick<DaemonParts, "log" | "onAssertion">,
): (error: unknown) => void {
  return (error) => {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    if (error instanceof AssertionFailure) onAssertion(text);
    else log("error", `internal error in a route of the control endpoint: ${text}`);
  };
}
