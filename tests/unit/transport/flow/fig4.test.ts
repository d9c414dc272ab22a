// Fig. 4 between two connect layers over the loopback: the steps of both sides with the figure's
// numbers, their order, and what the client refuses.

import { describe, expect, test } from "bun:test";
import {
  connectFileSystem,
  FileSystemDoor,
  type FileSystemSession,
  type FlowIdentity,
} from "../../../../transport/flow/mod.ts";
import {
  FIRST_BYTES_TIMEOUT_MS,
  STEP_TIMEOUT_MS,
  ZEROS_BYTES,
} from "../../../../transport/flow/limits.ts";
import { encodeDocument, encodeU32 } from "../../../../transport/flow/flow_messages.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { readExactly } from "../../../../transport/ground/read_exactly.ts";
import { writeAll } from "../../../../transport/ground/write_all.ts";
import type { Address, Conn } from "../../../../transport/conn.ts";
import { failure } from "../connect/failure.ts";
import { FIG4, FlowBed, IDENTITY, numbers, openDescriptors, outOfOrder } from "./flow_bed.ts";
import { HandClock } from "./hand_clock.ts";

const SERVER_STEPS = ["82", "84", "86", "90", "92", "94", "96", "98", "100"];
const CLIENT_STEPS = ["112", "114", "116", "118", "120", "122", "124", "126"];

/** The client's well-known port, and the sessions that come out of its door. */
async function openDoor(
  bed: FlowBed,
  connections: number,
  refuse?: AgentError,
  admit: () => void = () => {},
) {
  const sessions: FileSystemSession[] = [];
  let arrived: (session: FileSystemSession) => void = () => {};
  const first = new Promise<FileSystemSession>((resolve) => arrived = resolve);
  const door = new FileSystemDoor({
    layer: bed.client.layer,
    clock: bed.clock,
    name: "web01",
    connections,
    signal: bed.signal,
    admit,
    onSession: (session) => {
      if (refuse !== undefined) throw refuse;
      sessions.push(session);
      arrived(session);
    },
  });
  const address = await bed.listen(FIG4, (accepted) => door.enter(accepted));
  return { address, sessions, first };
}

const hello = (identity: FlowIdentity) =>
  encodeDocument({ type: "hello", versionMin: 1, versionMax: 1, connection: 1, ...identity });

async function send(conn: Conn, messages: readonly Uint8Array[]): Promise<void> {
  for (const message of messages) await writeAll(conn, message);
}

/** A first connection made by hand: zeros, descriptor, names. */
async function firstByHand(bed: FlowBed, address: Address, identity = IDENTITY) {
  const conn = await bed.dial(address);
  await send(conn, [new Uint8Array(ZEROS_BYTES)]);
  const descriptor = await readExactly(conn, 4);
  await send(conn, hello(identity));
  return { conn, descriptor };
}

describe("Fig. 4", () => {
  test("makes two connections, every step traced by its number in the figure's order", async () => {
    await using bed = await FlowBed.open();
    const { address, first } = await openDoor(bed, 2);
    const options = { client: address, identity: IDENTITY };
    const made = await connectFileSystem(bed.server.context, options);
    const session = await first;
    expect(numbers(bed.log, "4", "server")).toEqual(SERVER_STEPS);
    expect(numbers(session.steps, "4", "client")).toEqual(CLIENT_STEPS);
    const pairs = [
      ["116", "86"],
      ["90", "120"],
      ["122", "92"],
      ["100", "126"],
    ] as const;
    expect(outOfOrder(bed.log, pairs)).toEqual([]);
    expect(session.hello.name).toBe("vault01");
    expect([made.control, made.errors]).toEqual([3, 4]);
    // The listener has 3: the accepted ones come after it.
    expect([session.control, session.errors]).toEqual([4, 5]);
    expect(bed.log.find((one) => one.step === "100")?.call).toContain("descriptor 4");
    expect(bed.refused).toEqual([]);
  });

  test("pairs the ends: control with control, errors with errors", async () => {
    await using bed = await FlowBed.open();
    const { address, first } = await openDoor(bed, 2);
    const made = await connectFileSystem(bed.server.context, {
      client: address,
      identity: IDENTITY,
    });
    const session = await first;
    await bed.server.layer.send(made.control, Uint8Array.of(1));
    await bed.server.layer.send(made.errors ?? 0, Uint8Array.of(2));
    const into = new Uint8Array(4);
    await bed.client.layer.recv(session.control, into);
    await bed.client.layer.recv(session.errors ?? 0, into.subarray(1));
    expect([...into.subarray(0, 2)]).toEqual([1, 2]);
  });

  test("leaves the second connection out, traced as skipped, with connections: 1", async () => {
    await using bed = await FlowBed.open();
    const { address, first } = await openDoor(bed, 1);
    const identity = { ...IDENTITY, connections: 1 };
    const made = await connectFileSystem(bed.server.context, { client: address, identity });
    expect(made.errors).toBe(null);
    expect((await first).errors).toBe(null);
    const skipped = bed.log.filter((one) => one.skipped);
    expect(skipped.map((one) => one.step)).toEqual(["94-100"]);
    expect(numbers(bed.log, "4", "server").slice(0, 5)).toEqual(SERVER_STEPS.slice(0, 5));
  });

  test("keeps two jobs at once apart", async () => {
    await using bed = await FlowBed.open();
    const { address, sessions } = await openDoor(bed, 2);
    const jobs = ["a", "b", "c"];
    await Promise.all(
      jobs.map((job) =>
        connectFileSystem(bed.server.context, { client: address, identity: { ...IDENTITY, job } })
      ),
    );
    expect(sessions.map((session) => session.hello.job).sort()).toEqual(jobs);
    const used = sessions.flatMap((session) => [session.control, session.errors]);
    expect(new Set(used).size).toBe(6);
  });
});

describe("Fig. 4 refusals", () => {
  test("the server names both counts when the configurations differ", async () => {
    await using bed = await FlowBed.open();
    const { address, sessions } = await openDoor(bed, 1);
    const options = { client: address, identity: IDENTITY };
    const error = await failure(() => connectFileSystem(bed.server.context, options));
    expect(error.code).toBe("mismatch");
    expect(error.message).toContain('"connections: 1", need 2');
    expect(sessions).toEqual([]);
  });

  test("bytes that are no zeros close the connection", async () => {
    await using bed = await FlowBed.open();
    const { address, sessions } = await openDoor(bed, 2);
    const wrong = [
      new TextEncoder().encode("GET / HTTP/1.1\r\n"),
      new Uint8Array(ZEROS_BYTES).fill(0, 0, 4).fill(1, 4),
    ];
    for (const bytes of wrong) {
      const conn = await bed.dial(address);
      await send(conn, [bytes]);
      expect((await failure(() => readExactly(conn, 4))).code).toBe("reset");
      await conn.close();
    }
    expect(bed.refused.map((one) => one.code)).toEqual(["auth", "reset"]);
    expect(sessions).toEqual([]);
    expect(openDescriptors(bed.client.layer)).toEqual([3]);
  });

  test("a silent connection is closed when the time limit is over", async () => {
    const clock = new HandClock();
    await using bed = await FlowBed.open(clock);
    const { address } = await openDoor(bed, 2);
    const conn = await bed.dial(address);
    await clock.ring(FIRST_BYTES_TIMEOUT_MS);
    expect((await failure(() => readExactly(conn, 1))).code).toBe("reset");
    expect(bed.refused.map((one) => one.code)).toEqual(["timeout"]);
    await conn.close();
  });

  test("a connection that ends after half of the zeros is refused", async () => {
    await using bed = await FlowBed.open();
    const { address } = await openDoor(bed, 2);
    const conn = await bed.dial(address);
    await send(conn, [new Uint8Array(7)]);
    await conn.closeWrite();
    expect((await failure(() => readExactly(conn, 1))).code).toBe("reset");
    expect(bed.refused.map((one) => one.code)).toEqual(["reset"]);
    await conn.close();
  });

  for (
    const [what, change] of [
      ["token", { token: "ff".repeat(16) }],
      ["job", { job: "job2" }],
    ] as const
  ) {
    test(`a second connection with another ${what} is refused, the right one still comes in`, async () => {
      await using bed = await FlowBed.open();
      const { address, sessions, first } = await openDoor(bed, 2);
      const { conn, descriptor } = await firstByHand(bed, address);
      const wrong = await bed.dial(address);
      await send(wrong, [descriptor, ...hello({ ...IDENTITY, ...change })]);
      expect((await failure(() => readExactly(wrong, 1))).code).toBe("reset");
      expect(bed.refused.map((one) => one.code)).toEqual(["auth"]);
      expect(sessions).toEqual([]);
      const right = await bed.dial(address);
      await send(right, [descriptor, ...hello(IDENTITY)]);
      expect((await first).hello.job).toBe("job1");
      for (const one of [conn, wrong, right]) one.abort("done");
    });
  }

  test("a second connection that names a descriptor nobody waits for is refused", async () => {
    await using bed = await FlowBed.open();
    const { address, sessions } = await openDoor(bed, 2);
    const { conn } = await firstByHand(bed, address);
    for (const named of [99, 65536, 0xffff_ffff]) {
      const wrong = await bed.dial(address);
      await send(wrong, [encodeU32(named), ...hello(IDENTITY)]);
      expect((await failure(() => readExactly(wrong, 1))).code).toBe("reset");
      wrong.abort("done");
    }
    expect(bed.refused.map((one) => one.code)).toEqual(["auth", "auth", "auth"]);
    expect(sessions).toEqual([]);
    conn.abort("done");
  });

  test("of two second connections of one job only one comes in", async () => {
    const clock = new HandClock();
    await using bed = await FlowBed.open(clock);
    const { address, sessions, first } = await openDoor(bed, 2);
    const { conn, descriptor } = await firstByHand(bed, address);
    const both = [await bed.dial(address), await bed.dial(address)];
    for (const one of both) await send(one, [descriptor]);
    // Both have named the descriptor, and wait for the names: the job itself is the third sleeper.
    await clock.until(STEP_TIMEOUT_MS, 3);
    for (const one of both) await send(one, hello(IDENTITY));
    await first;
    await bed.refusals(1);
    expect(sessions).toHaveLength(1);
    expect(bed.refused.map((one) => one.code)).toEqual(["auth"]);
    for (const one of both) one.abort("done");
    conn.abort("done");
  });

  test("a job that the client does not take loses both connections", async () => {
    await using bed = await FlowBed.open();
    const refuse = new AgentError("busy", "Cannot start the job: too many run");
    const { address } = await openDoor(bed, 2, refuse);
    const options = { client: address, identity: IDENTITY };
    const made = await connectFileSystem(bed.server.context, options);
    for (const descriptor of [made.control, made.errors ?? 0]) {
      const reading = bed.server.layer.recv(descriptor, new Uint8Array(1));
      expect((await failure(() => reading)).code).toBe("reset");
    }
    expect(bed.refused.map((one) => one.code)).toEqual(["busy"]);
    expect(openDescriptors(bed.client.layer)).toEqual([3]);
  });

  test("a client that is busy says so to the server, and leaves no socket", async () => {
    await using bed = await FlowBed.open();
    const { address } = await openDoor(bed, 2, undefined, () => {
      throw new AgentError("busy", "32 jobs run");
    });
    const made = connectFileSystem(bed.server.context, { client: address, identity: IDENTITY });
    const error = await failure(() => made);
    expect([error.code, error.message]).toEqual([
      "busy",
      "Cannot set up the connection: the peer refused it: 32 jobs run",
    ]);
    expect(openDescriptors(bed.server.layer)).toEqual([]);
  });

  test("a job whose second connection does not come is given up", async () => {
    const clock = new HandClock();
    await using bed = await FlowBed.open(clock);
    const { address, sessions } = await openDoor(bed, 2);
    const { conn, descriptor } = await firstByHand(bed, address);
    const length = await readExactly(conn, 4);
    await readExactly(conn, new DataView(length.buffer).getUint32(0, true));
    await clock.ring(STEP_TIMEOUT_MS);
    expect((await failure(() => readExactly(conn, 1))).code).toBe("reset");
    const late = await bed.dial(address);
    await send(late, [descriptor, ...hello(IDENTITY)]);
    expect((await failure(() => readExactly(late, 1))).code).toBe("reset");
    expect(sessions).toEqual([]);
    late.abort("done");
  });
});
