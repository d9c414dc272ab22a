// The stream contract over the in-memory network.

import type { Address, Conn } from "../../transport/conn.ts";
import { assert } from "../../transport/ground/assert.ts";
import { MemoryNetwork } from "../../transport/memory/mod.ts";
import { PIPE_BYTES } from "../../transport/memory/limits.ts";
import type { Bed, ListeningBed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";

function openBed(): Promise<Bed> {
  const network = new MemoryNetwork();
  const listening: ListeningBed = {
    listen: ({ address, backlog } = {}) =>
      network.listen({
        address: "here",
        port: address === undefined ? 0 : portOf(address),
        ...(backlog === undefined ? {} : { backlog }),
      }),
    connect: (address, options) =>
      network.connect({ address: "here", port: portOf(address), ...options }),
    unusedAddress: () => ({ family: "AF_MEMORY", address: "here", port: 1 }),
  };
  const pair = async (): Promise<readonly [Conn, Conn]> => {
    await using listener = await listening.listen();
    const a = await listening.connect(listener.addr, { timeoutMs: 5000 });
    return [a, await listener.accept()];
  };
  return Promise.resolve({ pair, listening, close: () => Promise.resolve() });
}

function portOf(address: Address): number {
  assert(address.family === "AF_MEMORY", "a memory address");
  return address.port;
}

describeConnConformance("the in-memory pair", openBed, { inFlightBytes: PIPE_BYTES });
