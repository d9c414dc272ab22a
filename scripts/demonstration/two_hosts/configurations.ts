// The configuration files of two hosts that share a LUN, as a person would write them: a server
// with a vault, a second server that has nothing but the LAN, and a client of both.
//
// Ports are fixed: nobody else is in the namespaces of a pair of hosts.

import { CLIENT, DATABASE } from "../configurations.ts";
import type { HostPair } from "./host_pair.ts";

/** Name of the server, as its certificate has it. */
export const SERVER = "vault01";
/** Name of the group on the LUN. */
export const GROUP = "stg0";

const SERVER_PORT = 7430;
const LAN_SERVER_PORT = 7440;
const CLIENT_PORT = 7530;

export interface Surroundings {
  readonly pair: HostPair;
  /** Path of the LUN, the same on both hosts. */
  readonly lun: string;
  /** What the server may do for the client's jobs. */
  readonly channel?: "prefer-storage" | "storage-only";
  /** Heartbeat and dead time of the group, as in the file; the defaults when empty. */
  readonly times?: string;
}

function identity(name: string): string {
  return `tls: { ca: pki/ca.pem, cert: pki/${name}.pem, key: pki/${name}.key }`;
}

function group(host: number, { lun, times = "" }: Surroundings): string {
  const rest = times === "" ? "" : `, ${times}`;
  return `{ name: ${GROUP}, host: ${host}, volumes: [${lun}]${rest} }`;
}

/** The server whose data go through the LUN. */
export function serverConfiguration(surroundings: Surroundings): string {
  const { pair, channel = "prefer-storage" } = surroundings;
  return `name: ${SERVER}
network: { listen: ${pair.address("server")}, port: ${SERVER_PORT} }
control: unix:server.sock
${identity(SERVER)}
stgs:
  - ${group(1, surroundings)}
vault: vault
retention: { keep_last: 1 }
clients:
  ${CLIENT}:
    address: ${pair.address("client")}
    port: ${CLIENT_PORT}
    stg: ${GROUP}
    channel: ${channel}
    wait: 5s
    connections: 2
`;
}

/** A server for the same client that has the LAN alone, to compare with. */
export function lanServerConfiguration({ pair }: Surroundings): string {
  return `name: ${SERVER}
network: { listen: ${pair.address("server")}, port: ${LAN_SERVER_PORT} }
control: unix:server-lan.sock
${identity(SERVER)}
vault: vault-lan
retention: { keep_last: 1 }
clients:
  ${CLIENT}:
    address: ${pair.address("client")}
    port: ${CLIENT_PORT}
    channel: network-only
    connections: 2
`;
}

export function clientConfiguration(surroundings: Surroundings): string {
  const { pair } = surroundings;
  const server = `address: ${pair.address("server")}, port: ${SERVER_PORT}`;
  return `name: ${CLIENT}
network: { listen: ${pair.address("client")}, port: ${CLIENT_PORT} }
control: unix:client.sock
${identity(CLIENT)}
server: { name: ${SERVER}, ${server}, connections: 2 }
stgs: [ ${group(2, surroundings)} ]
spool: .
databases:
  ${DATABASE}: { kind: sqlite, path: app.db }
`;
}
