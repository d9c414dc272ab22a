// The examples of the contract, and what is said of one that was changed.

import { formatProblem, loadConfigText } from "../../../../agent/config/mod.ts";

export const SERVER = `name: vault01
network: { listen: 127.0.0.1, port: 7430 }
control: unix:run/server.sock
stgs:
  - { name: stg0, host: 1, array: array, volumes: [v0, v1] }
vault: vault
clients:
  web01: { address: 127.0.0.1, port: 7530, stg: stg0, channel: prefer-storage, wait: 5s,
           connections: 2 }
`;

export const CLIENT = `name: web01
network: { listen: 127.0.0.1, port: 7530 }
control: unix:run/client.sock
server: { address: 127.0.0.1, port: 7430, connections: 2 }
stgs: [ { name: stg0, host: 2, array: array, volumes: [v0, v1] } ]
databases:
  app: { kind: sqlite, path: data/app.db }
  pg:  { kind: postgresql, data: /var/lib/postgresql/15/main, socket: /var/run/postgresql,
         user: postgres }
  erp: { kind: command, backup: [sh, -c, "dump"], restore: [sh, -c, "load"] }
`;

export const FILE = "/etc/agent/x.yaml";

/** What is wrong with a configuration, as the program prints it. */
export function problems(text: string): readonly string[] {
  const result = loadConfigText(text, { file: FILE });
  if (result.ok) return [];
  return result.problems.map((problem) => formatProblem("F", problem));
}
