// The stream contract over a relay: a TCP connection whose accepted end is used through a real
// MessageChannel.

import type { Conn } from "../../transport/conn.ts";
import { assert } from "../../transport/ground/assert.ts";
import { RelayConn, serveRelay } from "../../transport/relay/mod.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import type { Bed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";

const { network } = await currentRuntime();

/** What the kernel and both relay directions buffer, at their largest. */
const IN_FLIGHT_BYTES = 36 * 1024 * 1024;

async function tcpPair(): Promise<readonly [Conn, Conn]> {
  await using listener = await network.listen({ address: "127.0.0.1", port: 0 });
  const { addr } = listener;
  assert(addr.family === "AF_INET", "a TCP address");
  const accepting = listener.accept();
  const a = await network.connect({ address: addr.address, port: addr.port, timeoutMs: 5000 });
  return [a, await accepting];
}

function openBed(order: (a: Conn, b: Conn) => readonly [Conn, Conn]): () => Promise<Bed> {
  return () => {
    const relays: Promise<void>[] = [];
    const pair = async () => {
      const [a, b] = await tcpPair();
      const { port1, port2 } = new MessageChannel();
      relays.push(serveRelay(b, port1));
      return order(a, new RelayConn(port2, b));
    };
    const close = async () => void await Promise.all(relays);
    return Promise.resolve({ pair, listening: null, close });
  };
}

describeConnConformance("a relay that reads", openBed((a, b) => [a, b]), {
  inFlightBytes: IN_FLIGHT_BYTES,
});
describeConnConformance("a relay that writes", openBed((a, b) => [b, a]), {
  inFlightBytes: IN_FLIGHT_BYTES,
});
