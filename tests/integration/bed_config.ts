// The configuration files of a bed, as a person would write them.

export interface ConfigOptions {
  readonly channel?: "prefer-storage" | "storage-only" | "network-only";
  /** Time to wait for the storage channel. */
  readonly wait?: string;
  /** Directory of the vault, relative to the bed. */
  readonly vault?: string;
  /** Further lines of the server's `clients:`. */
  readonly moreClients?: string;
  /** Further keys of the client's file: databases first. */
  readonly clientKeys?: string;
  /** Which daemons speak TLS, with the files of `pki/` beside the configuration; none by default. */
  readonly tls?: readonly ("server" | "client")[];
  /** The server's name as the client knows it. */
  readonly serverName?: string;
  /** Keys of the group's times; STG_TIMES when absent. */
  readonly times?: string;
}

/** The `tls` line of a daemon; without TLS an empty one. */
function tlsLine(options: ConfigOptions, side: "server" | "client", name: string): string {
  if (!options.tls?.includes(side)) return "";
  return `tls: { ca: pki/ca.pem, cert: pki/${name}.pem, key: pki/${name}.key }`;
}

export interface Ports {
  readonly server: number;
  readonly client: number;
}

/** Beats fast and is dead soon, so that tests of crashes need no patience. */
export const STG_TIMES = "heartbeat: 250ms, dead_time: 2500ms";

/** What a configuration has that says nothing of times. */
export const DEFAULT_TIMES = "heartbeat: 1s, dead_time: 10s";

/** One group's line; `host` is the daemon's id on it. */
export function stgLine(host: number, array = "array", times = STG_TIMES): string {
  return `{ name: stg0, host: ${host}, array: ${array}, volumes: [v0, v1], ${times} }`;
}

export function serverYaml(ports: Ports, options: ConfigOptions = {}): string {
  const { channel = "prefer-storage", wait = "5s", vault = "vault", moreClients = "" } = options;
  const how = `stg: stg0, channel: ${channel}, wait: ${wait}, connections: 2`;
  return `name: vault01
network: { listen: 127.0.0.1, port: ${ports.server} }
control: unix:server.sock
${tlsLine(options, "server", "vault01")}
stgs:
  - ${stgLine(1, "array", options.times)}
vault: ${vault}
clients:
  web01: { address: 127.0.0.1, port: ${ports.client}, ${how} }
${moreClients}`;
}

export function clientYaml(ports: Ports, options: ConfigOptions = {}): string {
  const name = options.tls?.includes("client") ? `name: ${options.serverName ?? "vault01"}, ` : "";
  return `name: web01
network: { listen: 127.0.0.1, port: ${ports.client} }
control: unix:client.sock
${tlsLine(options, "client", "web01")}
server: { ${name}address: 127.0.0.1, port: ${ports.server}, connections: 2 }
stgs: [ ${stgLine(2, "array", options.times)} ]
spool: .
databases:
  app: { kind: sqlite, path: app.db }
${options.clientKeys ?? ""}`;
}
