// Finds TCP ports on the loopback address that nobody uses at the moment.

import { createServer, type Server } from "node:net";

/** Tries before giving up: each fails only when the next port is taken by chance. */
const TRIES = 50;

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** The first of `count` free ports in a row: an agent uses its well-known port and the next. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const servers: Server[] = [];
    const first = await listen(0);
    if (first === null) continue;
    servers.push(first);
    const port = portOf(first);
    for (let next = 1; next < count; next += 1) {
      const server = port + next > 65535 ? null : await listen(port + next);
      if (server !== null) servers.push(server);
    }
    for (const server of servers) await new Promise((closed) => server.close(closed));
    if (servers.length === count) return port;
  }
  throw new Error(`Cannot find ${count} free ports in a row on 127.0.0.1`);
}
