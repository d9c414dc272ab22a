// How much of a well-known port strangers can hold: a bounded number of half set-up connections,
// and none of it once they are gone.

import { expect, test } from "bun:test";
import type { Conn } from "../../../../transport/conn.ts";
import { ConnectLayer } from "../../../../transport/connect/mod.ts";
import { ListeningPort } from "../../../../transport/flow/mod.ts";
import { HALF_OPEN_MAX } from "../../../../transport/flow/limits.ts";
import { TcpMechanism } from "../../../../transport/tcp/mod.ts";
import { FIG5, inet, LOOPBACK, runtime } from "./flow_bed.ts";

/** More than may be half set up. */
const EXTRA = 16;

async function stranger(port: number): Promise<{ conn: Conn; closed: Promise<void> }> {
  const conn = await runtime.network.connect({ address: LOOPBACK, port, timeoutMs: 10_000 });
  // A reset is an end as well.
  const closed = conn.read(new Uint8Array(1)).then(() => {}, () => {});
  return { conn, closed };
}

test("ListeningPort takes 64 half set-up connections, turns more away, and goes on", async () => {
  const { clock, network } = runtime;
  await using layer = new ConnectLayer({ network: new TcpMechanism(network), storage: null });
  const held: PromiseWithResolvers<void>[] = [];
  let taken = Promise.withResolvers<void>();
  const port = await ListeningPort.open({
    layer,
    clock,
    address: inet(0),
    steps: FIG5,
    onAccepted: ({ descriptor }) => {
      const one = Promise.withResolvers<void>();
      held.push(one);
      if (held.length === HALF_OPEN_MAX) taken.resolve();
      return one.promise.then(() => layer.abort(descriptor, "over"));
    },
    onRefused: () => {},
  });
  await using _port = port;
  const { address } = port;
  const number = address.family === "AF_INET" ? address.port : 0;
  const first = await Promise.all(Array.from({ length: HALF_OPEN_MAX }, () => stranger(number)));
  await taken.promise;
  const more = await Promise.all(Array.from({ length: EXTRA }, () => stranger(number)));
  await Promise.all(more.map(({ closed }) => closed));
  expect(held.length).toBe(HALF_OPEN_MAX);
  taken = Promise.withResolvers<void>();
  for (const one of held.splice(0)) one.resolve();
  await Promise.all(first.map(({ closed }) => closed));
  const good = await Promise.all(Array.from({ length: HALF_OPEN_MAX }, () => stranger(number)));
  await taken.promise;
  for (const one of held) one.resolve();
  for (const { conn } of [...first, ...more, ...good]) conn.abort("over");
});
