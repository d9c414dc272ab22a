// Fig. 4A between two connect layers: set-up over the loopback, the socket through volumes in
// memory; its order, its refusals, and that a failed try gives back what it used.

import { describe, expect, test } from "bun:test";
import {
  acceptStorage,
  connectStorage,
  receiveStorageSetup,
  StorageError,
  type StorageGroup,
  type UnusableGroup,
} from "../../../../transport/flow/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import type { Conn } from "../../../../transport/conn.ts";
import { failure } from "../connect/failure.ts";
import {
  down,
  FIG4A,
  FlowBed,
  IDENTITY,
  numbers,
  openDescriptors,
  outOfOrder,
  runtime,
} from "./flow_bed.ts";

const SERVER_STEPS = ["132", "134", "136", "138", "140", "142", "144", "146"];
const CLIENT_STEPS = [
  ...["152", "154", "156", "158", "160"],
  ...["162", "164", "166", "168", "170", "172"],
];
const CLIENT_IDENTITY = { ...IDENTITY, name: "web01" };

interface ClientOptions {
  readonly group?: StorageGroup | UnusableGroup;
  readonly token?: string;
  readonly prove?: (conn: Conn) => Promise<void>;
}

/** The client's side on its well-known port + 1; gives the STP descriptor of each set-up. */
async function serveStorage(bed: FlowBed, options: ClientOptions = {}) {
  const outcomes: (number | AgentError)[] = [];
  let ended = Promise.withResolvers<void>();
  const { client } = bed;
  const address = await bed.listen(FIG4A, async (accepted) => {
    const { layer, clock, signal } = client.context;
    const { message, descriptor } = await receiveStorageSetup(accepted, { layer, clock, signal });
    try {
      outcomes.push(
        await acceptStorage({ layer, clock, signal, trace: accepted.trace }, {
          descriptor,
          identity: { ...CLIENT_IDENTITY, token: options.token ?? IDENTITY.token },
          message,
          group: options.group ?? client.group,
          random: runtime.random,
          prove: options.prove ?? bed.prove,
        }),
      );
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      outcomes.push(error);
    } finally {
      ended.resolve();
    }
  });
  const next = async () => {
    await ended.promise;
    ended = Promise.withResolvers();
  };
  return { address, outcomes, next };
}

type Serving = Awaited<ReturnType<typeof serveStorage>>;

/** The server's side; returns or throws when the client's side has come to its end as well. */
async function connect(bed: FlowBed, serving: Serving): Promise<number> {
  try {
    return await connectStorage(bed.server.context, {
      client: serving.address,
      identity: IDENTITY,
      group: bed.server.group,
      prove: bed.prove,
    });
  } finally {
    await serving.next();
  }
}

describe("Fig. 4A", () => {
  test("makes the storage connection, every step traced in the figure's order", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveStorage(bed);
    const stp = await connect(bed, serving);
    expect(stp >= 65536).toBe(true);
    expect(numbers(bed.log, "4A", "server")).toEqual(SERVER_STEPS);
    expect(numbers(bed.log, "4A", "client")).toEqual(CLIENT_STEPS);
    const pairs = [
      ["156", "136"],
      ["138", "160"],
      ["170", "140"],
      ["166", "146"],
    ] as const;
    expect(outOfOrder(bed.log, pairs)).toEqual([]);
    expect(bed.log.filter((one) => one.skipped)).toEqual([]);
    expect(bed.log.filter((one) => one.call.startsWith("medium proved"))).toHaveLength(2);
  });

  test("carries bytes through the storage; nothing but the STP sockets stays open", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveStorage(bed);
    const stp = await connect(bed, serving);
    const [accepted] = serving.outcomes;
    const far = typeof accepted === "number" ? accepted : 0;
    const before = bed.client.layer.channelBytes();
    await bed.server.layer.send(stp, Uint8Array.of(1, 2, 3));
    expect(await bed.client.layer.recv(far, new Uint8Array(8))).toBe(3);
    const after = bed.client.layer.channelBytes();
    expect(after.storageBytes - before.storageBytes).toBe(3);
    expect(after.networkBytes).toBe(before.networkBytes);
    expect(openDescriptors(bed.server.layer)).toEqual([stp]);
    // 3 is the listener of the well-known port + 1.
    expect(openDescriptors(bed.client.layer)).toEqual([3, far]);
  });
});

describe("Fig. 4A refusals", () => {
  const other = "00000000-0000-4000-8000-000000000000";
  const cases = [
    ["a group of another uuid", (group: StorageGroup) => ({ ...group, uuid: other })],
    ["a group of other volumes", (group: StorageGroup) => ({ ...group, volumeUuids: [other] })],
    ["a group of more volumes", (group: StorageGroup) => ({
      ...group,
      volumeUuids: [...group.volumeUuids, other],
    })],
    ["a group of fewer volumes", (group: StorageGroup) => ({ ...group, volumeUuids: [] })],
    ["a group that is down", () => down("volume v0 cannot be read")],
  ] as const;
  for (const [what, change] of cases) {
    test(`the client refuses ${what} by a reason that reaches the server`, async () => {
      await using bed = await FlowBed.open();
      const group = change(bed.client.group);
      const serving = await serveStorage(bed, { group });
      const error = await failure(() => connect(bed, serving));
      const code = "unusable" in group ? "client_stg_down" : "stg_mismatch";
      expect(error instanceof StorageError && error.fallback.reason).toBe(code);
      expect(error.message).toContain('group "stg0"');
      const found = "unusable" in group ? group.unusable.detail : group.uuid;
      expect(error.message).toContain(found);
      expect(numbers(bed.log, "4A", "server")).toEqual(["132", "134", "136", "138"]);
      expect(openDescriptors(bed.server.layer)).toEqual([]);
      expect(openDescriptors(bed.client.layer)).toEqual([3]);
    });
  }

  test("a reason that is too long for its message still arrives, cut", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveStorage(bed, { group: down("x".repeat(50_000)) });
    const error = await failure(() => connect(bed, serving));
    expect(error.code).toBe("failed");
    expect(error.message.length < 1200).toBe(true);
  });

  test("a client with another token is refused on both sides and leaves no socket", async () => {
    await using bed = await FlowBed.open();
    const serving = await serveStorage(bed, { token: "ff".repeat(16) });
    expect((await failure(() => connect(bed, serving))).code).toBe("auth");
    expect(serving.outcomes.map((one) => one instanceof AgentError && one.code)).toEqual(["auth"]);
    expect(openDescriptors(bed.server.layer)).toEqual([]);
    expect(openDescriptors(bed.client.layer)).toEqual([3]);
  });

  test("a medium that cannot be proved fails both sides; tries go on without a leak", async () => {
    await using bed = await FlowBed.open();
    let tries = 0;
    const prove = (conn: Conn) => {
      tries++;
      if (tries > 20) return bed.prove(conn);
      return Promise.reject(new AgentError("mismatch", "Cannot prove the medium: test"));
    };
    const serving = await serveStorage(bed, { prove });
    for (let index = 0; index < 20; index++) await failure(() => connect(bed, serving));
    expect(openDescriptors(bed.server.layer)).toEqual([]);
    expect(openDescriptors(bed.client.layer)).toEqual([3]);
    expect(await connect(bed, serving) >= 65536).toBe(true);
  });
});
