// Ports of a worker's sockets: one socket has each, whoever binds what, and when.

import { afterEach, describe, expect, test } from "bun:test";
import type { Address } from "../../../../transport/conn.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { failure, type MemoryBed, openMemoryBed, PATIENT } from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const FORMAT = { maxHosts: 2, endpointsPerHost: 4, ringSlots: 4, payloadBytes: 64 * 1024 };

const opened: MemoryBed[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function makeBed() {
  const bed = await openMemoryBed({ clock, random, timing: PATIENT, format: FORMAT });
  opened.push(bed);
  const stg = bed.identity.name;
  const [{ mechanism }] = bed.hosts;
  const at = (port: number): Address => ({ family: "AF_STP", stg, host: 1, port });
  return { mechanism, at };
}

describe("STPbind()", () => {
  test("gives a chosen port to one of two sockets that ask at once", async () => {
    const { mechanism, at } = await makeBed();
    const [one, two] = [mechanism.STPsocket(), mechanism.STPsocket()];
    const binding = one.bind(at(7));
    expect(await failure(two.bind(at(7)))).toMatchObject({ code: "port_in_use" });
    await binding;
    await one.close();
    await two.bind(at(7));
    expect(two.getsockname()).toEqual(at(7));
  });

  test("gives no dynamic port that was chosen, until it is given back", async () => {
    const { mechanism, at } = await makeBed();
    const dynamic = async () => {
      const socket = mechanism.STPsocket();
      await socket.bind(at(0));
      return socket;
    };
    const ports = await Promise.all([dynamic(), dynamic()]);
    const [first, second] = ports.map((socket) => socket.getsockname().port) as [number, number];
    for (const socket of ports) await socket.close();
    // The lease hands its ports out in turn: the first comes again after the others.
    const chosen = mechanism.STPsocket();
    await chosen.bind(at(first));
    const taken: number[] = [];
    let busy = false;
    while (!busy) {
      try {
        taken.push((await dynamic()).getsockname().port);
      } catch (error) {
        expect(error).toMatchObject({ code: "busy" });
        busy = true;
      }
    }
    expect([taken.includes(second), taken.includes(first)]).toEqual([true, false]);
    await chosen.close();
    expect((await dynamic()).getsockname().port).toBe(first);
  });

  test("leaves the port alone when its socket is closed meanwhile", async () => {
    const { mechanism, at } = await makeBed();
    const socket = mechanism.STPsocket();
    const binding = failure(socket.bind(at(7)));
    await socket.close();
    expect(await binding).toMatchObject({ code: "closed" });
    await mechanism.STPsocket().bind(at(7));
  });

  test("leaves the port free when the volume cannot be read", async () => {
    const { mechanism, at } = await makeBed();
    const [path] = opened[0]?.workerPaths ?? [];
    if (path === undefined) throw new Error("no bed");
    path.cut = true;
    expect(await failure(mechanism.STPsocket().bind(at(7)))).toMatchObject({ code: "volume" });
    path.cut = false;
    await mechanism.STPsocket().bind(at(7));
  });
});
