// What is given back when something fails or is closed half way: endpoints, connections, and the
// endpoints of a host id that another process took.

import { afterEach, describe, expect, test } from "bun:test";
import { AssertionFailure } from "../../../../transport/ground/assert.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { ControlBlock, controlBlockImage } from "../../../../transport/stp/control_block.ts";
import { SLEEP_MS_MAX } from "../../../../transport/stp/limits.ts";
import { controlBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { readVolume } from "../../../../transport/stp/volume_io.ts";
import { MemoryMedium } from "./memory_volume.ts";
import {
  connectPair,
  failure,
  type MemoryBed,
  openMemoryBed,
  SHORT,
  type StpHost,
} from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const ENDPOINTS = 4;
const FORMAT = { maxHosts: 2, endpointsPerHost: ENDPOINTS, ringSlots: 4, payloadBytes: 64 * 1024 };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function memoryBed(asynchronous = false): Promise<MemoryBed> {
  const bed = await openMemoryBed({ clock, random, timing: SHORT, format: FORMAT, asynchronous });
  opened.push(bed);
  return bed;
}

function addressOf(bed: MemoryBed, host: number) {
  return { family: "AF_STP", stg: bed.identity.name, host, port: 0 } as const;
}

/** Listens with as many sockets as the host has endpoints: all must be free for that. */
async function useAllEndpoints(bed: MemoryBed, host: StpHost): Promise<void> {
  for (let i = 0; i < ENDPOINTS; i++) {
    const socket = host.mechanism.STPsocket();
    opened.push(socket);
    await socket.bind(addressOf(bed, host.member.claim.hostId));
    await socket.listen({ backlog: 1 });
  }
}

async function listening(bed: MemoryBed) {
  const socket = bed.hosts[1].mechanism.STPsocket();
  opened.push(socket);
  await socket.bind(addressOf(bed, 2));
  await socket.listen({ backlog: 1 });
  return socket;
}

describe("StgMember.release()", () => {
  test("leaves the connection of who took the host id alone", async () => {
    const bed = await memoryBed();
    const { member } = bed.hosts[0];
    const block = new ControlBlock();
    const boot = member.claim.generation + 1;
    block.kind = "established";
    block.self = { host: 1, endpoint: 0, boot, generation: 1 };
    const image = Uint8Array.from(controlBlockImage(block));
    const at = controlBlockOffset(bed.identity.layout, 1, 0);
    const medium = bed.media[0];
    medium?.bytes.set(image, at);
    await member.release({ leaseId: 1, endpoints: [0], ports: [] });
    expect(medium?.bytes.slice(at, at + image.length)).toEqual(image);
  });
});

describe("StpConn.close()", () => {
  test("gives the endpoint back when its last write fails", async () => {
    const bed = await memoryBed();
    const [conn, peer] = await connectPair(bed);
    const closing = peer.close();
    await clock.yield();
    await conn.isGone(); // Sees that the peer closes, so that its own close needs no wait.
    bed.paths[0].cut = true;
    await conn.close();
    bed.paths[0].cut = false;
    await closing;
    await useAllEndpoints(bed, bed.hosts[0]);
  });
});

describe("StpConn.abort()", () => {
  test("tells the peer when the path comes back that was gone at that moment", async () => {
    const bed = await memoryBed();
    const [conn, peer] = await connectPair(bed);
    bed.paths[0].cut = true;
    conn.abort("the test says so");
    await clock.sleep(3 * SLEEP_MS_MAX);
    bed.paths[0].cut = false;
    expect((await failure(peer.read(new Uint8Array(1)))).message).toContain("the test says so");
  });
});

describe("StpSocket.connect()", () => {
  test("gives the endpoint back when the medium goes away meanwhile", async () => {
    const bed = await memoryBed();
    const target = (await listening(bed)).getsockname();
    const socket = bed.hosts[0].mechanism.STPsocket();
    await socket.bind(addressOf(bed, 1));
    const connecting = failure(socket.connect(target, { timeoutMs: 5000 }));
    for (const medium of bed.media) medium.onWrite = () => bed.paths[0].cut = true;
    expect((await connecting).code).toBe("volume");
    for (const medium of bed.media) medium.onWrite = () => {};
    bed.paths[0].cut = false;
    await useAllEndpoints(bed, bed.hosts[0]);
  });

  test("throws closed when the socket is closed meanwhile, and ends the connection", async () => {
    const bed = await memoryBed();
    const listener = await listening(bed);
    const socket = bed.hosts[0].mechanism.STPsocket();
    const connecting = failure(socket.connect(listener.getsockname(), { timeoutMs: 5000 }));
    await clock.yield();
    await socket.close();
    expect((await connecting).code).toBe("closed");
    await useAllEndpoints(bed, bed.hosts[0]);
  });
});

describe("StpSocket.accept()", () => {
  test("keeps the connection for the next accept when cancelled while it looks at it", async () => {
    const bed = await memoryBed(true);
    const listener = await listening(bed);
    const socket = bed.hosts[0].mechanism.STPsocket();
    await socket.connect(listener.getsockname(), { timeoutMs: 5000 });
    const stop = new AbortController();
    for (const medium of bed.media) medium.onRead = () => stop.abort();
    expect((await failure(listener.accept({ signal: stop.signal }))).code).toBe("cancelled");
    const accepted = await listener.accept();
    await accepted.conn.write(Uint8Array.of(7));
    const into = new Uint8Array(1);
    await socket.conn.read(into);
    expect(into[0]).toBe(7);
  });
});

describe("readVolume()", () => {
  test("says a failure once, with the volume's name and the code of a volume", () => {
    const messageOf = (cause: Error) => {
      const medium = new MemoryMedium(4096);
      medium.onRead = () => {
        throw cause;
      };
      try {
        readVolume(medium.open("v0"), 0, new Uint8Array(512));
      } catch (error) {
        if (error instanceof AgentError && error.code === "volume") return error.message;
      }
      return "no failure of a volume";
    };
    const late = `Cannot read volume "v0" at byte 0: no answer within 9 ms, need all 512 bytes`;
    expect(messageOf(new AgentError("timeout", late))).toBe(late);
    expect(messageOf(new AgentError("busy", "the board is held"))).toBe(
      `Cannot read volume "v0": the board is held, need a medium that answers`,
    );
    expect(messageOf(new Error("EIO"))).toBe(
      `Cannot read volume "v0": EIO, need a medium that answers`,
    );
  });

  test("passes a failed assertion on as what it is", () => {
    const volume = new MemoryMedium(4096).open("v0");
    expect(() => readVolume(volume, 1, new Uint8Array(512))).toThrow(AssertionFailure);
  });
});
