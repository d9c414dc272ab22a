// The daemon of this host: does it answer, is it ready, is it of this version?

import { AgentError, type Runtime } from "../../transport/mod.ts";
import type { Config } from "../config/mod.ts";
import { ControlClient } from "../control/control_client.ts";
import type { StatusView } from "../control/mod.ts";
import { statusViewSchema } from "../control/status_schema.ts";
import { readToken } from "../control/token_file.ts";
import { doubtful, failed, type Finding, good } from "./finding.ts";
import { CLOCK_AHEAD_MS, PEER_MS } from "./limits.ts";

interface DaemonParts {
  readonly runtime: Pick<Runtime, "files" | "clock">;
  readonly version: string;
}

export async function checkDaemon(parts: DaemonParts, config: Config): Promise<Finding[]> {
  const { control, controlToken, role } = config;
  const subject = control.kind === "unix" ? control.path : `${control.host}:${control.port}`;
  const said = { check: "daemon", subject };
  try {
    const token = controlToken === null ? null : readToken(parts.runtime.files, controlToken);
    const client = new ControlClient({ address: control, token, idleMs: PEER_MS });
    const status = await client.get("/v1/status", statusViewSchema);
    return [statusFinding(said, status, parts.version), ...timeFindings(parts.runtime, status)];
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "unreachable") {
      return [failed(said, error)];
    }
    return [doubtful(said, error.message, `Start it: \`systemctl start agent-${role}\`.`)];
  }
}

function statusFinding(
  said: { readonly check: string; readonly subject: string },
  { ready, reasons, version, name }: StatusView,
  own: string,
): Finding {
  if (!ready || reasons.length > 0) {
    return doubtful(said, `"${name}": ${reasons.join("; ") || "not ready"}`, "See `agent status`.");
  }
  if (version !== own) {
    return doubtful(said, `it is version ${version}, this is ${own}`, "Restart the daemon.");
  }
  return good(said, `"${name}" is ready`);
}

/** Backups of the future: one of the clocks was wrong. */
function timeFindings({ clock }: DaemonParts["runtime"], { clients }: StatusView): Finding[] {
  const aheadMs = clock.wallMs() + CLOCK_AHEAD_MS;
  return clients.flatMap(({ client, lastBackup }) => {
    if (lastBackup === null || Date.parse(lastBackup) <= aheadMs) return [];
    const said = { check: "clock", subject: client };
    return [doubtful(said, `its newest backup is of ${lastBackup}`, "Set the clock of this host.")];
  });
}
