// A daemon in the foreground, as a systemd unit starts it: starts the role, serves its control
// endpoint, and stops in order on SIGTERM or SIGINT.

import type { Runtime } from "../transport/mod.ts";
import { ClientDaemon } from "./client/mod.ts";
import { openVolumes } from "./compose.ts";
import { networkMechanism, networkPartOf } from "./compose_network.ts";
import { type Config, loadConfig, requireConfig } from "./config/mod.ts";
import {
  createControlApp,
  createWalApp,
  hostsOf,
  readToken,
  serveControl,
  type ServedControl,
  type TcpAccess,
} from "./control/mod.ts";
import type { DaemonBase } from "./daemon_base.ts";
import type { DaemonParts } from "./daemon_parts.ts";
import { EXIT_INTERNAL, EXIT_OK } from "./exit_code.ts";
import type { ToWorker } from "./job/mod.ts";
import { createLog } from "./log.ts";
import { findUser } from "./postgresql/mod.ts";
import { ServerDaemon } from "./server/mod.ts";
import { downLine } from "./stg/mod.ts";

export interface RunDaemonOptions {
  readonly role: "server" | "client";
  readonly configFile: string;
  /** Module URL of the worker, made by the program's entry. */
  readonly workerUrl: URL;
  /** What starts this program; its arguments follow. */
  readonly command: readonly string[];
}

/** Runs until a signal stops it. @returns the exit code @throws AgentError when it cannot start */
export async function runDaemon(runtime: Runtime, options: RunDaemonOptions): Promise<number> {
  const config = requireConfig(loadConfig(runtime.files, options.configFile, options.role));
  const log = createLog(runtime.process, config.name);
  const stopped = stopSignal(runtime);
  const network = networkPartOf(config);
  const parts: DaemonParts = {
    runtime,
    network: networkMechanism(runtime, network, (error) => log("warning", error.message)),
    openVolumes: (source, hostName) => openVolumes(runtime, source, hostName),
    command: options.command,
    startThread: () => {
      const thread = runtime.startThread(options.workerUrl);
      thread.post({ type: "network", network } satisfies ToWorker);
      return thread;
    },
    onAssertion: (message) => {
      log("error", message);
      runtime.process.exit(EXIT_INTERNAL);
    },
    log,
  };
  const daemon = config.role === "server"
    ? await ServerDaemon.start(config, parts)
    : await ClientDaemon.start(config, parts);
  try {
    const control = await serve(runtime, config, daemon);
    const wal = await serveWal(runtime, config, daemon);
    logStart(config, daemon, log);
    log("info", `${await stopped}: stopping`);
    await daemon[Symbol.asyncDispose]();
    await control.close();
    await wal?.close();
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
  log("info", "stopped");
  return EXIT_OK;
}

async function serve(
  runtime: Runtime,
  config: Config,
  daemon: DaemonBase,
): Promise<ServedControl> {
  const { clock, files } = runtime;
  const app = createControlApp(daemon, { clock, access: accessOf(runtime, config) });
  return await serveControl(app, config.control, { files });
}

/** The second socket of a client, for the user of a database; null where there is none. */
async function serveWal(
  runtime: Runtime,
  config: Config,
  daemon: DaemonBase,
): Promise<ServedControl | null> {
  if (config.role !== "client" || config.walSocket === null) return null;
  const { path, user } = config.walSocket;
  const { clock, files, process } = runtime;
  const owner = await findUser(process, user);
  const app = createWalApp(daemon, { clock, access: null });
  return await serveControl(app, { kind: "unix", path }, { files, owner });
}

/** What a TCP endpoint asks of strangers; a Unix socket's mode is guard enough. */
function accessOf(runtime: Runtime, config: Config): TcpAccess | null {
  const { control, controlToken } = config;
  if (control.kind === "unix" || controlToken === null) return null;
  return {
    token: readToken(runtime.files, controlToken),
    hosts: hostsOf(control.host, control.port),
  };
}

function logStart(config: Config, daemon: DaemonBase, log: DaemonParts["log"]): void {
  const { listen, port } = config.network;
  log("info", `agent ${config.role} "${config.name}" is ready on ${listen}:${port}`);
  for (const stg of daemon.stgs()) {
    if (stg.state === "down") log("warning", downLine(stg));
  }
}

function stopSignal(runtime: Runtime): Promise<string> {
  return new Promise((resolve) => {
    runtime.process.onSignal("SIGTERM", () => resolve("SIGTERM"));
    runtime.process.onSignal("SIGINT", () => resolve("SIGINT"));
  });
}
