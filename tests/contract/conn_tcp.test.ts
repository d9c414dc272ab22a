// The stream contract over TCP, as the runtime at hand does it.

import type { Address, Conn } from "../../transport/conn.ts";
import { assert } from "../../transport/ground/assert.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import type { Bed, ListeningBed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";

const { network } = await currentRuntime();
const HOST = "127.0.0.1";

/** What the kernel buffers for both ends of a loopback connection, at its largest. */
const IN_FLIGHT_BYTES = 32 * 1024 * 1024;

function openBed(): Promise<Bed> {
  const listening: ListeningBed = {
    listen: ({ address, backlog } = {}) =>
      network.listen({
        address: HOST,
        port: address === undefined ? 0 : portOf(address),
        ...(backlog === undefined ? {} : { backlog }),
      }),
    connect: (address, options) =>
      network.connect({ address: HOST, port: portOf(address), ...options }),
    unusedAddress: async () => {
      const listener = await network.listen({ address: HOST, port: 0 });
      await listener.close();
      return listener.addr;
    },
  };
  const pair = async (): Promise<readonly [Conn, Conn]> => {
    await using listener = await listening.listen();
    const accepting = listener.accept();
    const a = await listening.connect(listener.addr, { timeoutMs: 5000 });
    return [a, await accepting];
  };
  return Promise.resolve({ pair, listening, close: () => Promise.resolve() });
}

function portOf(address: Address): number {
  assert(address.family === "AF_INET", "a TCP address");
  return address.port;
}

describeConnConformance("TCP", openBed, { inFlightBytes: IN_FLIGHT_BYTES });
