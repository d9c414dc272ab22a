// The two configuration files of the demo, as a person would write them.

/** What differs between two runs of the demo. */
export interface Ports {
  readonly server: number;
  readonly client: number;
}

/** Name of the client, and of the database it may back up. */
export const CLIENT = "web01";
export const DATABASE = "app";

export function serverConfiguration(ports: Ports): string {
  return `name: vault01
network: { listen: 127.0.0.1, port: ${ports.server} }
control: unix:server.sock
stgs:
  - { name: stg0, host: 1, array: array, volumes: [v0, v1] }
vault: vault
clients:
  ${CLIENT}:
    address: 127.0.0.1
    port: ${ports.client}
    stg: stg0
    channel: prefer-storage
    wait: 5s
    connections: 2
`;
}

export function clientConfiguration(ports: Ports): string {
  return `name: ${CLIENT}
network: { listen: 127.0.0.1, port: ${ports.client} }
control: unix:client.sock
server: { address: 127.0.0.1, port: ${ports.server}, connections: 2 }
stgs: [ { name: stg0, host: 2, array: array, volumes: [v0, v1] } ]
databases:
  ${DATABASE}: { kind: sqlite, path: app.db }
`;
}
