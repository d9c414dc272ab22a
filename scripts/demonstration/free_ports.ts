// Finds TCP ports on the loopback address that nobody uses, and that nobody else finds here while
// this thread lives, whatever runs beside it: it holds the UDP ports of the same numbers, which no
// agent uses.

import { createSocket } from "node:dgram";
import { createServer, type Server } from "node:net";

/** Tries before giving up: all that others who run beside us hold, and those taken by chance. */
const TRIES = 2000;

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** @returns true when the port is ours now, as far as all who look here are concerned */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.on("error", () => resolve(false));
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => resolve(true));
    socket.unref();
  });
}

/** @returns true when nobody listens there */
async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === null) return false;
  await new Promise((closed) => server.close(closed));
  return true;
}

/**
 * Ports that no system gives out by itself (those begin at 32768): nobody gets one by chance
 * between the look here and its use.
 */
const PORT_FIRST = 10_000;
const PORT_COUNT = 22_000;

/** Where the next look begins: elsewhere for most that run side by side. */
let next = (process.pid * 61) % PORT_COUNT;

/** The first of `count` free ports in a row: an agent uses its well-known port and the next. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = PORT_FIRST + next;
    next = (next + count) % (PORT_COUNT - count);
    const ports = Array.from({ length: count }, (_, at) => port + at);
    const claimed = await Promise.all(ports.map(claim));
    if (claimed.includes(false)) continue;
    if (!(await Promise.all(ports.map(isFree))).includes(false)) return port;
  }
  throw new Error(`Cannot find ${count} free ports in a row on 127.0.0.1`);
}
