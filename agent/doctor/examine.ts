// All checks of one configuration file, in the order in which a person would mend things.

import type { Runtime } from "../../transport/mod.ts";
import { type Config, type ConfigProblem, loadConfig } from "../config/mod.ts";
import { checkCertificates, checkControl, checkToken } from "./check_certificates.ts";
import { checkClocks } from "./check_clocks.ts";
import { checkDaemon } from "./check_daemon.ts";
import { checkGroups, type ReadGroup } from "./check_groups.ts";
import { checkKernel } from "./check_kernel.ts";
import { checkPeers } from "./check_peers.ts";
import { checkPlaces } from "./check_places.ts";
import { checkWalSocket } from "./check_wal_socket.ts";
import { failed, type Finding, good, wrong } from "./finding.ts";

export interface ExamineParts {
  readonly runtime: Runtime;
  readonly version: string;
  /** Reads the state of a group from its volumes. */
  readonly readGroup: ReadGroup;
}

/** @param role null: what the file says */
export async function examine(
  parts: ExamineParts,
  file: string,
  role: "server" | "client" | null,
): Promise<readonly Finding[]> {
  const said = { check: "configuration", subject: file };
  let config: Config;
  try {
    const result = loadConfig(parts.runtime.files, file, role);
    if (!result.ok) return result.problems.map((problem) => problemFinding(file, problem));
    config = result.config;
  } catch (error) {
    return [failed(said, error)];
  }
  const { runtime } = parts;
  const peers = await checkPeers(runtime, config);
  const answering = peers.filter(({ verdict }) => verdict === "ok").map(({ subject }) => subject);
  return [
    good(said, `a good ${config.role} configuration of "${config.name}"`),
    ...checkKernel(runtime, config),
    ...checkPlaces(runtime, config),
    ...await checkWalSocket(runtime, config),
    ...checkCertificates(runtime, config),
    ...checkToken(runtime, config),
    ...checkControl(config),
    ...await checkGroups(config, parts.readGroup),
    ...await checkDaemon(parts, config),
    ...peers,
    ...await checkClocks(runtime, config, answering),
  ];
}

function problemFinding(
  file: string,
  { line, column, key, message, hint }: ConfigProblem,
): Finding {
  const said = { check: "configuration", subject: `${file}:${line}:${column}` };
  return wrong(said, key === "" ? message : `${key}: ${message}`, hint);
}
