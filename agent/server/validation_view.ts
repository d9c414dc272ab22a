// What validating a client found, as it is answered and logged. Pure.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import type { ClientEntry } from "../config/mod.ts";
import { clockDifference } from "../control/clock_difference.ts";
import type { ValidationView } from "../control/daemon.ts";
import { type DaemonParts, VERSION } from "../daemon_parts.ts";
import type { Job } from "../job/mod.ts";

/** @throws AgentError the error of the job when it found nothing */
export function validationView(client: ClientEntry, job: Job, seconds: number): ValidationView {
  const { name, channel: policy } = client;
  const { validation } = job;
  if (validation === null) {
    const error = job.view().error;
    throw error === null
      ? new AgentError("failed", `Cannot validate client "${name}": found no result, need one`)
      : fromErrorRecord(error);
  }
  const { channels, clientVersion, clockAheadMs } = validation;
  const wanted = channels.filter(({ channel }) =>
    channel === "network" || policy !== "network-only"
  );
  const ok = wanted.every((channel) => channel.usable);
  const versions = { version: VERSION, clientVersion };
  return { client: name, policy, ok, ...versions, clockAheadMs, seconds, channels };
}

export function validationLine(view: ValidationView): Parameters<DaemonParts["log"]> {
  const found = view.channels.map(({ channel, usable, detail }) =>
    `${channel} ${usable ? "YES" : "NO"} (${detail})`
  );
  const clock = clockDifference(view.clockAheadMs);
  if (clock !== null) found.push(clock);
  return [view.ok ? "info" : "warning", `validated client "${view.client}": ${found.join(", ")}`];
}
