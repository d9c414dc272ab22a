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

/**
 * Ports that no system gives out by itself (those begin at 32768): nobody gets one by chance
 * between the look here and its use.
 */
const PORT_FIRST = 10_000;
const PORT_COUNT = 22_000;

/** Where the next look begins: elsewhere in processes that run side by side. */
let next = (process.pid * 61) % PORT_COUNT;

/** The first of `count` free ports in a row: an agent uses its well-known port and the next. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = PORT_FIRST + next;
    next = (next + count) % (PORT_COUNT - count);
    const found = await Promise.all(Array.from({ length: count }, (_, at) => listen(port + at)));
    const servers = found.filter((server) => server !== null);
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
    if (servers.length === count) return port;
  }
  throw new Error(`Cannot find ${count} free ports in a row on 127.0.0.1`);
}
