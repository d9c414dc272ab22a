// How much of a well-known port strangers can hold: a bounded number of half set-up connections,
// and none of it once they are gone.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { Conn } from "../../../../transport/conn.ts";
import { ConnectLayer } from "../../../../transport/connect/mod.ts";
import { ListeningPort } from "../../../../transport/flow/mod.ts";
import {
  ARRIVALS,
  BACKLOG,
  HALF_OPEN_MAX,
  HALF_OPEN_PER_ADDRESS_MAX,
} from "../../../../transport/flow/limits.ts";
import { TcpMechanism } from "../../../../transport/tcp/mod.ts";
import { knock, knockUntilSilent } from "../knock.ts";
import { FIG5, inet, LOOPBACK, runtime } from "./flow_bed.ts";

/** More than may be half set up. */
const EXTRA = 16;
/** More than a burst and what comes back of it meanwhile. */
const CALLS_MAX = 500;
const PLENTY = { burst: 10_000, perSecond: 10_000 };

async function stranger(port: number): Promise<{ conn: Conn; closed: Promise<void> }> {
  const conn = await runtime.network.connect({ address: LOOPBACK, port, timeoutMs: 10_000 });
  // A reset is an end as well.
  const closed = conn.read(new Uint8Array(1)).then(() => {}, () => {});
  return { conn, closed };
}

/** The same from another address of this host. */
function callFrom(from: string, port: number): Promise<{ closed: Promise<void> }> {
  const ended = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<{ closed: Promise<void> }>();
  const socket = connect({ host: LOOPBACK, port, localAddress: from });
  // Aborted at once, before we learn of the connection: an answer, too.
  socket.on("error", () => resolve({ closed: ended.promise }));
  socket.once("connect", () => resolve({ closed: ended.promise }));
  socket.once("close", () => ended.resolve());
  return promise;
}

/** A backlog at a time: more would be called again by the kernel a second later. */
async function strangers(
  port: number,
  count: number,
): Promise<Awaited<ReturnType<typeof stranger>>[]> {
  const all = [];
  while (all.length < count) {
    const length = Math.min(BACKLOG / 2, count - all.length);
    all.push(...await Promise.all(Array.from({ length }, () => stranger(port))));
  }
  return all;
}

test("ListeningPort takes a number of half set-up connections, fewer of one address, and goes on", async () => {
  const { clock, network } = runtime;
  await using layer = new ConnectLayer({ network: new TcpMechanism(network), storage: null });
  const held: PromiseWithResolvers<void>[] = [];
  let [wanted, taken] = [HALF_OPEN_PER_ADDRESS_MAX, Promise.withResolvers<void>()];
  const take = async (count: number) => {
    [wanted, taken] = [count, Promise.withResolvers<void>()];
    if (held.length >= count) taken.resolve();
    await taken.promise;
  };
  const port = await ListeningPort.open({
    layer,
    clock,
    address: inet(0),
    steps: FIG5,
    arrivals: { perAddress: PLENTY, total: PLENTY },
    onAccepted: ({ descriptor }) => {
      const one = Promise.withResolvers<void>();
      held.push(one);
      if (held.length === wanted) taken.resolve();
      return one.promise.then(() => layer.abort(descriptor, "over"));
    },
    onRefused: () => {},
  });
  await using _port = port;
  const { address } = port;
  const number = address.family === "AF_INET" ? address.port : 0;
  const first = await strangers(number, HALF_OPEN_PER_ADDRESS_MAX);
  await take(HALF_OPEN_PER_ADDRESS_MAX);
  const more = await strangers(number, EXTRA);
  await Promise.all(more.map(({ closed }) => closed));
  expect(held.length).toBe(HALF_OPEN_PER_ADDRESS_MAX);
  // Other addresses have the places that are left.
  const others = [];
  for (let at = held.length; at < HALF_OPEN_MAX + EXTRA; at++) {
    others.push(await callFrom(`127.0.1.${1 + at % 4}`, number));
  }
  await Promise.all(others.slice(-EXTRA).map(({ closed }) => closed));
  expect(held.length).toBe(HALF_OPEN_MAX);
  for (const one of held.splice(0)) one.resolve();
  await Promise.all([...first, ...others].map(({ closed }) => closed));
  const good = await strangers(number, HALF_OPEN_PER_ADDRESS_MAX);
  await take(HALF_OPEN_PER_ADDRESS_MAX);
  for (const one of held) one.resolve();
  for (const { conn } of [...first, ...more, ...good]) conn.abort("over");
});

test("ListeningPort leaves calls of an address unanswered that comes too often, and no other's", async () => {
  const { clock, network } = runtime;
  await using layer = new ConnectLayer({ network: new TcpMechanism(network), storage: null });
  const port = await ListeningPort.open({
    layer,
    clock,
    address: inet(0),
    steps: FIG5,
    onAccepted: ({ descriptor }) => Promise.resolve(layer.abort(descriptor, "a stranger")),
    onRefused: () => {},
  });
  await using _port = port;
  const { address } = port;
  const number = address.family === "AF_INET" ? address.port : 0;
  const answered = await knockUntilSilent("127.0.0.2", number, CALLS_MAX);
  expect(answered).toBeGreaterThanOrEqual(ARRIVALS.perAddress.burst - 1);
  expect(answered).toBeLessThan(CALLS_MAX);
  expect(await knock("127.0.0.3", number)).toBe(true);
});
