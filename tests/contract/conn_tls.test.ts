// The stream contract over mutual TLS 1.3, as the runtime at hand does it.

import { afterAll } from "bun:test";
import type { Address, Conn } from "../../transport/conn.ts";
import { assert } from "../../transport/ground/assert.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { secureNetwork } from "../../transport/tls/mod.ts";
import { TemporaryPki } from "../unit/transport/tls/temporary_pki.ts";
import type { Bed, ListeningBed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";

const HOST = "127.0.0.1";

/** What the kernel buffers for both ends of a loopback connection, at its largest. */
const IN_FLIGHT_BYTES = 32 * 1024 * 1024;

const runtime = await currentRuntime();
const pki = await TemporaryPki.make();
const onRefused = () => {}; // Tests that end a connect leave such handshakes.
const passive = secureNetwork(runtime, {
  name: "web01",
  peers: ["vault01"],
  credentials: await pki.issue("web01"),
  onRefused,
});
const active = secureNetwork(runtime, {
  name: "vault01",
  peers: ["web01"],
  credentials: await pki.issue("vault01"),
  onRefused,
});

afterAll(() => pki[Symbol.dispose]());

function openBed(): Promise<Bed> {
  const listening: ListeningBed = {
    listen: ({ address, backlog } = {}) =>
      passive.listen({
        address: HOST,
        port: address === undefined ? 0 : portOf(address),
        ...(backlog === undefined ? {} : { backlog }),
      }),
    connect: (address, options) =>
      active.connect({ address: HOST, port: portOf(address), ...options }),
    unusedAddress: async () => {
      const listener = await passive.listen({ address: HOST, port: 0 });
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

describeConnConformance("TLS", openBed, { inFlightBytes: IN_FLIGHT_BYTES });
