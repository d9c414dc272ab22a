// The client's part in a file-system job that outlives a cut of its network: the server connects
// again, the main thread lets it in, and the link goes on over what it relays here.

import type { FlowStep } from "../../transport/mod.ts";
import type { Adopted, JobLink, WorkerSession } from "../job/mod.ts";

/** The job runs from now on, over these connections. */
export function outliveCuts(
  session: WorkerSession,
  link: JobLink,
  first: readonly (Adopted | null)[],
): void {
  let steps: readonly FlowStep[] = [];
  link.outliveCuts({
    connect: null,
    onCut: session.networkCut,
    onRejoined: (afterMs) => {
      link.send(session.networkRejoined(afterMs, steps)).catch(() => {}); // The job ends, then.
    },
  });
  const takeAll = async () => {
    for (let inUse = first;;) {
      const control = await session.relayed("control", link.over);
      const two = session.identity.connections === 2;
      const errors = two ? await session.relayed("errors", link.over) : null;
      steps = control.steps;
      link.takeOver({
        control: session.layer.conn(control.descriptor),
        errors: errors === null ? null : session.layer.conn(errors.descriptor),
      });
      for (const old of inUse) {
        if (old !== null) session.layer.abort(old.descriptor, "others took its place");
      }
      inUse = [control, errors];
    }
  };
  takeAll().catch(() => {}); // The job is over.
}
