// A daemon in the foreground, as a systemd unit starts it: starts the role, serves its control
// endpoint, reads its configuration again on SIGHUP, and stops in order on SIGTERM or SIGINT.

import type { Runtime } from "../transport/mod.ts";
import { openAudit } from "./audit_log.ts";
import { certificateViews } from "./certificate_views.ts";
import { ClientDaemon } from "./client/mod.ts";
import { openVolumes } from "./compose.ts";
import { type DaemonNetwork, daemonNetwork, networkPartOf } from "./compose_network.ts";
import { type Config, loadConfig, requireConfig } from "./config/mod.ts";
import {
  type ControlAppOptions,
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
import { type Reloadable, Reloader } from "./reloader.ts";
import { tellRouteBug } from "./route_bug.ts";
import { ServerDaemon } from "./server/mod.ts";
import { ServiceNotices } from "./service_notices.ts";
import { downLine } from "./stg/mod.ts";

export interface RunDaemonOptions {
  readonly role: "server" | "client";
  readonly configFile: string;
  /** Module URLs of the threads, made by the program's entry. */
  readonly workerUrl: URL;
  readonly writerUrl: URL;
  /** What starts this program; its arguments follow. */
  readonly command: readonly string[];
}

/** Runs until a signal stops it. @returns the exit code @throws AgentError when it cannot start */
export async function runDaemon(runtime: Runtime, options: RunDaemonOptions): Promise<number> {
  const config = requireConfig(loadConfig(runtime.files, options.configFile, options.role));
  const log = createLog(runtime, config.name);
  const stopped = stopSignal(runtime);
  const notices = new ServiceNotices(runtime, log);
  const onTrouble = (message: string) => log("warning", message);
  const ended = new AbortController();
  const audit = openAudit(config.audit, { ...runtime, onTrouble, signal: ended.signal });
  const reloader = new Reloader({ runtime, log, audit, notices });
  runtime.process.onSignal("SIGHUP", () => reloader.request());
  const network = daemonNetwork(runtime, networkPartOf(config), (error) => {
    log("warning", error.message);
    audit({ who: strangerOf(error), action: "connect", result: error.message });
  });
  const parts: DaemonParts = {
    runtime,
    network: network.mechanism,
    certificates: () => certificateViews(network.credentials, runtime.clock),
    audit,
    openVolumes: (source, hostName) => openVolumes(runtime, source, hostName),
    command: options.command,
    startThread: () => runtime.startThread(options.workerUrl),
    equipThread: (thread) =>
      thread.post({ type: "network", network: network.part } satisfies ToWorker),
    startWriter: () => runtime.startThread(options.writerUrl),
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
    const { clock } = runtime;
    const options = { clock, audit, onInternalError: tellRouteBug(parts) };
    const control = await serve(runtime, config, { daemon, options });
    const wal = await serveWal(runtime, config, { daemon, options });
    logStart(config, daemon, log);
    const status = () => statusLine(config, daemon);
    notices.say("ready", status());
    void notices.keepAlive(ended.signal);
    reloader.begin(reloadable(daemon, network, status));
    const signal = await stopped;
    log("info", `${signal}: stopping`);
    notices.say("stopping", `${signal}: ends its jobs`);
    await daemon[Symbol.asyncDispose]();
    await control.close();
    await wal?.close();
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  } finally {
    ended.abort();
  }
  log("info", "stopped");
  return EXIT_OK;
}

interface ServedDaemon {
  readonly daemon: DaemonBase;
  /** All of it, so that neither endpoint keeps a refusal or a bug to itself. */
  readonly options: Required<Omit<ControlAppOptions, "access">>;
}

async function serve(
  runtime: Runtime,
  config: Config,
  { daemon, options }: ServedDaemon,
): Promise<ServedControl> {
  const app = createControlApp(daemon, { ...options, access: accessOf(runtime, config) });
  return await serveControl(app, config.control, runtime);
}

/** The second socket of a client, for the user of a database; null where there is none. */
async function serveWal(
  runtime: Runtime,
  config: Config,
  { daemon, options }: ServedDaemon,
): Promise<ServedControl | null> {
  if (config.role !== "client" || config.walSocket === null) return null;
  const { path, user } = config.walSocket;
  const owner = await findUser(runtime.process, user);
  const app = createWalApp(daemon, { ...options, access: null });
  return await serveControl(app, { kind: "unix", path }, { ...runtime, owner });
}

/** What a TCP endpoint asks of strangers; a Unix socket's mode is guard enough. */
function accessOf(runtime: Runtime, config: Config): TcpAccess | null {
  const { control, controlToken } = config;
  if (control.kind === "unix" || controlToken === null) return null;
  return {
    token: readToken(runtime.files, controlToken),
    hosts: hostsOf(control.host, control.port),
    clock: runtime.clock,
    random: runtime.random,
  };
}

function logStart(config: Config, daemon: DaemonBase, log: DaemonParts["log"]): void {
  const { listen, port } = config.network;
  log("info", `agent ${config.role} "${config.name}" is ready on ${listen}:${port}`);
  for (const stg of daemon.stgs()) {
    if (stg.state === "down") log("warning", downLine(stg));
  }
}

/** One line for `systemctl status`. */
function statusLine({ network }: Config, daemon: DaemonBase): string {
  const down = daemon.stgs().filter(({ state }) => state === "down").map(({ name }) => name);
  const groups = down.length === 0 ? "" : `, group ${down.join(", ")} down`;
  return `ready on ${network.listen}:${network.port}${groups}`;
}

/** The daemon with its network: both take a configuration, or neither does. */
function reloadable(
  daemon: ServerDaemon | ClientDaemon,
  network: DaemonNetwork,
  status: () => string,
): Reloadable {
  return {
    get config() {
      return daemon.config;
    },
    take: async (config) => {
      const renewNetwork = network.prepare(networkPartOf(config));
      await daemon.reconfigure(config);
      renewNetwork();
    },
    status,
  };
}

/** The message names the end of the connection, with its port. */
function strangerOf({ message }: Error): Readonly<Record<string, string>> {
  const address = /"([^"]+):\d+"/.exec(message)?.[1];
  return { by: "stranger", ...(address === undefined ? {} : { address }) };
}

function stopSignal(runtime: Runtime): Promise<string> {
  return new Promise((resolve) => {
    runtime.process.onSignal("SIGTERM", () => resolve("SIGTERM"));
    runtime.process.onSignal("SIGINT", () => resolve("SIGINT"));
  });
}
