// Fig. 5 between two connect layers: order, closed sockets, the ways without storage.

import { describe, expect, test } from "bun:test";
import {
  connectBack,
  connectDatabase,
  type DatabaseConnection,
  holdAnnouncement,
  receiveAnnouncement,
  type StorageGroup,
  type UnusableGroup,
} from "../../../../transport/flow/mod.ts";
import type { ConnectBackOptions } from "../../../../transport/flow/fig5_server.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { failure } from "../connect/failure.ts";
import {
  down,
  FIG5,
  FlowBed,
  IDENTITY,
  inet,
  numbers,
  openDescriptors,
  outOfOrder,
  runtime,
} from "./flow_bed.ts";
import { HandClock } from "./hand_clock.ts";

const CLIENT_STEPS = [
  ...["182", "184", "186", "188", "190", "192", "194", "196", "196A", "198", "200"],
  ...["202", "204", "206", "208", "210", "212", "214"],
];
const SERVER_STEPS = [
  ...["222", "224", "226", "228", "230", "234", "236", "238"],
  ...["240", "242", "244", "246"],
];
const CLIENT_IDENTITY = { ...IDENTITY, name: "web01" };

type Outcome = DatabaseConnection | AgentError;

/** The server's well-known port: steps 222 to 246 for each client that comes. */
async function serveDatabase(
  bed: FlowBed,
  change: Partial<ConnectBackOptions> & { readonly refuse?: AgentError } = {},
) {
  const { layer, context, group } = bed.server;
  const { refuse, ...options } = change;
  let tell: (outcome: Outcome) => void = () => {};
  const outcome = new Promise<Outcome>((resolve) => tell = resolve);
  const address = await bed.listen(FIG5, async (accepted) => {
    const { clock, signal } = context;
    const admit = () => {
      if (refuse !== undefined) throw refuse;
    };
    const door = { layer, clock, signal, name: "vault01" };
    const { hello, port } = await receiveAnnouncement(accepted, door, admit);
    const back = connectBack({ layer, clock, signal, trace: accepted.trace }, {
      client: inet(port),
      identity: { ...IDENTITY, job: hello.job, token: hello.token },
      group,
      storageOnly: false,
      prove: bed.prove,
      ...options,
    });
    back.then(tell, tell);
    await holdAnnouncement(accepted, door, outcome.then(() => {}));
  });
  return { address, outcome };
}

type Serving = Awaited<ReturnType<typeof serveDatabase>>;

function connect(
  bed: FlowBed,
  serving: Serving,
  group: StorageGroup | UnusableGroup = bed.client.group,
): Promise<DatabaseConnection> {
  return connectDatabase(bed.client.context, {
    server: serving.address,
    listen: inet(0),
    identity: CLIENT_IDENTITY,
    group: () => group,
    random: runtime.random,
    prove: bed.prove,
  });
}

function made(outcome: Outcome): DatabaseConnection {
  if (outcome instanceof AgentError) throw outcome;
  return outcome;
}

describe("Fig. 5", () => {
  test("makes the storage connection, every step traced in the figure's order", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveDatabase(bed);
    const near = await connect(bed, serving);
    const far = made(await serving.outcome);
    expect(numbers(bed.log, "5", "client")).toEqual(CLIENT_STEPS);
    expect(numbers(bed.log, "5", "server")).toEqual(SERVER_STEPS);
    const pairs = [
      ["196", "224"],
      ["226", "196A"],
      ["186", "234"],
      ["236", "200"],
      ["210", "238"],
      ["206", "244"],
    ] as const;
    expect(outOfOrder(bed.log, pairs)).toEqual([]);
    expect(bed.log.filter((one) => one.skipped)).toEqual([]);
    expect([near.mechanism, far.mechanism]).toEqual(["storage", "storage"]);
    expect([near.fallback, far.fallback]).toEqual([null, null]);
  });

  test("closes the WKP connection and the dynamic listener, then both ends at 214 and 246", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveDatabase(bed);
    const near = await connect(bed, serving);
    const far = made(await serving.outcome);
    const closes = bed.log.filter((one) => one.call.startsWith("close("));
    const client = closes.filter((one) => one.side === "client");
    expect(client.map((one) => one.step)).toEqual(["", "", "214"]);
    expect(client[0]?.call).toContain("WKP");
    expect(client[1]?.call).toContain("dynamic listener");
    expect(closes.filter((one) => one.side === "server").map((one) => one.step)).toEqual(["246"]);
    expect(openDescriptors(bed.client.layer)).toEqual([near.descriptor]);
    // 3 is the listener of the well-known port.
    expect(openDescriptors(bed.server.layer)).toEqual([3, far.descriptor]);
    const before = bed.client.layer.channelBytes().networkBytes;
    await bed.client.layer.send(near.descriptor, Uint8Array.of(1, 2));
    expect(await bed.server.layer.recv(far.descriptor, new Uint8Array(8))).toBe(2);
    expect(bed.client.layer.channelBytes().networkBytes).toBe(before);
  });
});

describe("Fig. 5 without storage", () => {
  test("tag AF_INET keeps the job on the dynamic connection, later steps traced as skipped", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveDatabase(bed, { group: down("stg0 is down") });
    const near = await connect(bed, serving);
    const far = made(await serving.outcome);
    for (const end of [near, far]) {
      expect([end.mechanism, end.fallback]).toEqual(["network", down("stg0 is down").unusable]);
    }
    const skipped = bed.log.filter((one) => one.skipped);
    expect(skipped.map((one) => [one.side, one.step]).sort()).toEqual([
      ["client", "202-214"],
      ["server", "238-246"],
    ]);
    await bed.server.layer.send(far.descriptor, Uint8Array.of(7));
    expect(await bed.client.layer.recv(near.descriptor, new Uint8Array(4))).toBe(1);
    expect(openDescriptors(bed.client.layer)).toEqual([near.descriptor]);
  });

  test("a client that cannot use the group says why, and the job stays on the network", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveDatabase(bed);
    const near = await connect(bed, serving, down("it is not configured here"));
    const far = made(await serving.outcome);
    expect([near.mechanism, far.mechanism]).toEqual(["network", "network"]);
    expect(far.fallback?.reason).toBe("client_stg_down");
    expect(far.fallback?.detail).toContain("it is not configured here");
    expect(outOfOrder(bed.log, [["210", "238"]])).toEqual([]);
  });

  test("storage-only refuses both ways with the reason on both sides", async () => {
    for (const side of ["server", "client"] as const) {
      await using bed = await FlowBed.open();
      const unusable = down("stg0 is down");
      const serving = await serveDatabase(bed, {
        storageOnly: true,
        ...(side === "server" ? { group: unusable } : {}),
      });
      const near = await failure(() =>
        connect(bed, serving, side === "client" ? unusable : bed.client.group)
      );
      const far = await serving.outcome;
      expect(near.message).toContain("stg0 is down");
      expect(far instanceof AgentError && far.message).toContain("stg0 is down");
    }
  });

  test("a client of another group uuid names both uuids to the server", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveDatabase(bed, { storageOnly: true });
    const { group } = bed.client;
    const error = await failure(() => connect(bed, serving, { ...group, uuid: "other" }));
    for (const uuid of ["other", group.uuid]) expect(error.message).toContain(uuid);
    const far = await serving.outcome;
    expect(far instanceof AgentError && far.message).toContain("other");
  });
});

describe("Fig. 5 refusals", () => {
  test("a job that the server does not admit leaves no socket on either side", async () => {
    await using bed = await FlowBed.open();
    const refuse = new AgentError("not_found", 'Cannot find client "web01"');
    const serving = await serveDatabase(bed, { refuse });
    expect((await failure(() => connect(bed, serving))).code).toBe("reset");
    expect(bed.refused.map((one) => one.code)).toEqual(["not_found"]);
    expect(openDescriptors(bed.client.layer)).toEqual([]);
    expect(openDescriptors(bed.server.layer)).toEqual([3]);
  });

  test("a server that is busy says so, and leaves no socket on either side", async () => {
    await using bed = await FlowBed.open();
    const refuse = new AgentError("busy", "Cannot start a job: 8 jobs run, need fewer than 8");
    const error = await failure(async () => connect(bed, await serveDatabase(bed, { refuse })));
    expect([error.code, error.message]).toEqual([
      "busy",
      `Cannot set up the connection: the peer refused it: ${refuse.message}`,
    ]);
    expect(openDescriptors(bed.client.layer)).toEqual([]);
    expect(openDescriptors(bed.server.layer)).toEqual([3]);
  });

  test("a server that ends before it comes back is noticed at once", async () => {
    await using bed = await FlowBed.open(new HandClock());
    const { layer, context: { clock, signal } } = bed.server;
    const address = await bed.listen(FIG5, async (accepted) => {
      const door = { layer, clock, signal, name: "vault01" };
      await receiveAnnouncement(accepted, door, () => {});
      await holdAnnouncement(accepted, door, Promise.resolve()); // Nobody will connect back.
    });
    const error = await failure(() => connect(bed, { address, outcome: new Promise(() => {}) }));
    expect([error.code, error.message]).toEqual([
      "reset",
      "Cannot accept the server's connection back: the peer ended the set-up",
    ]);
    expect(error.hint).toContain("See the server's log");
    expect(openDescriptors(bed.client.layer)).toEqual([]);
    expect(openDescriptors(bed.server.layer)).toEqual([3]);
  });

  test("a server that comes back with another token is refused", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveDatabase(bed, { identity: { ...IDENTITY, token: "ee".repeat(16) } });
    expect((await failure(() => connect(bed, serving))).code).toBe("auth");
    const far = await serving.outcome;
    expect(far instanceof AgentError && far.code).toBe("auth");
  });

  test("a port that is none is refused before it is used", async () => {
    await using bed = await FlowBed.open();
    const { address } = await serveDatabase(bed);
    for (const bytes of [new Uint8Array(4), Uint8Array.of(0, 0, 1, 0)]) {
      const conn = await bed.dial(address);
      await conn.write(bytes);
      expect((await failure(() => conn.read(new Uint8Array(1)))).code).toBe("reset");
      await conn.close();
    }
    expect(bed.refused.map((one) => one.code)).toEqual(["reset", "reset"]);
  });
});
