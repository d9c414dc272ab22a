// The clocks of a server and of its clients, by the daemon's validation of each: the server alone
// can ask, and what a client says of its clock is bracketed by two readings of the server's.

import { AgentError, type Runtime } from "../../transport/mod.ts";
import type { Config } from "../config/mod.ts";
import { clockDifference } from "../control/clock_difference.ts";
import { ControlClient } from "../control/control_client.ts";
import { readToken } from "../control/token_file.ts";
import { validationViewSchema } from "../control/validation_schema.ts";
import { doubtful, type Finding, good } from "./finding.ts";
import { CLOCK_PEERS_MAX, VALIDATION_MS } from "./limits.ts";

/** @param clients those that answer; what else is wrong with them is told by other checks */
export async function checkClocks(
  { files }: Pick<Runtime, "files">,
  config: Config,
  clients: readonly string[],
): Promise<Finding[]> {
  if (config.role === "client" || clients.length === 0) return [];
  const { control, controlToken } = config;
  const findings: Finding[] = [];
  try {
    const token = controlToken === null ? null : readToken(files, controlToken);
    const daemon = new ControlClient({ address: control, token, idleMs: VALIDATION_MS });
    // One after the other: each takes endpoints of the group.
    for (const client of clients.slice(0, CLOCK_PEERS_MAX)) {
      const path = `/v1/clients/${encodeURIComponent(client)}/validation`;
      const { clockAheadMs } = await daemon.post(path, {}, validationViewSchema);
      if (clockAheadMs !== null) findings.push(clockFinding(client, clockAheadMs));
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error; // Other checks say what is wrong.
  }
  return findings;
}

function clockFinding(client: string, aheadMs: number): Finding {
  const said = { check: "clock", subject: client };
  const difference = clockDifference(aheadMs);
  if (difference === null) return good(said, "the client's clock shows what the server's does");
  return doubtful(said, difference, "Let NTP keep the clocks of both hosts.");
}
