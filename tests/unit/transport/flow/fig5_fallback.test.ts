// Fig. 5 when the storage connection does not come about after the client told its port: both ends
// agree to stay on the dynamic connection, whoever fails and at which step, and nothing of the
// agreement is left on it.

import { describe, expect, test } from "bun:test";
import type { Conn } from "../../../../transport/conn.ts";
import {
  connectBack,
  connectDatabase,
  type DatabaseConnection,
  holdAnnouncement,
  receiveAnnouncement,
  StorageError,
} from "../../../../transport/flow/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { FIG5, FlowBed, IDENTITY, inet, numbers, openDescriptors, runtime } from "./flow_bed.ts";

interface Failing {
  readonly storageOnly?: boolean;
  readonly prove?: Partial<Record<"server" | "client", (conn: Conn) => Promise<void>>>;
}

type Outcome = DatabaseConnection | AgentError;

/** Both columns of the figure. @returns what became of the server's and the client's end */
async function introduce(
  bed: FlowBed,
  { storageOnly = false, prove = {} }: Failing = {},
): Promise<readonly [Outcome, Outcome]> {
  const { layer, context, group } = bed.server;
  const back = Promise.withResolvers<DatabaseConnection>();
  const server = await bed.listen(FIG5, async (accepted) => {
    const { clock, signal } = context;
    const door = { layer, clock, signal, name: "vault01" };
    const { port } = await receiveAnnouncement(accepted, door, () => {});
    connectBack({ layer, clock, signal, trace: accepted.trace }, {
      client: inet(port),
      identity: IDENTITY,
      group,
      storageOnly,
      prove: prove.server ?? bed.prove,
    }).then(back.resolve, back.reject);
    await holdAnnouncement(accepted, door, back.promise.then(() => {}, () => {}));
  });
  const near = connectDatabase(bed.client.context, {
    server,
    listen: inet(0),
    identity: { ...IDENTITY, name: "web01" },
    group: () => bed.client.group,
    random: runtime.random,
    prove: prove.client ?? bed.prove,
  });
  return await Promise.all([outcome(back.promise), outcome(near)]);
}

async function outcome(end: Promise<DatabaseConnection>): Promise<Outcome> {
  try {
    return await end;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

/** Takes the volumes away from a side when its layer is about to do this to its STP socket. */
function cutAt(bed: FlowBed, side: "server" | "client", call: "bind" | "accept" | "connect"): void {
  const { layer } = bed[side];
  const cut = (descriptor: number) => {
    if (descriptor >= 65536) bed.cut(side);
  };
  const { bind, accept, connect } = layer;
  if (call === "bind") {
    layer.bind = (descriptor, ...rest) => {
      cut(descriptor);
      return bind.call(layer, descriptor, ...rest);
    };
  } else if (call === "accept") {
    layer.accept = (descriptor, ...rest) => {
      cut(descriptor);
      return accept.call(layer, descriptor, ...rest);
    };
  } else {
    layer.connect = (descriptor, ...rest) => {
      cut(descriptor);
      return connect.call(layer, descriptor, ...rest);
    };
  }
}

const mismatch = () => Promise.reject(new AgentError("mismatch", "volume v0 differs"));
const never = () => new Promise<void>(() => {});

type Case = readonly [
  string,
  (bed: FlowBed) => Failing,
  readonly string[],
  readonly string[],
];

/** What fails; the codes that are right for it; the steps that are left out on either side. */
const CASES: readonly Case[] = [
  [
    "the client's STPbind or STPlisten",
    (bed) => {
      cutAt(bed, "client", "bind");
      return {};
    },
    ["client_volume_failed"],
    ["client 202-214", "server 238-246"],
  ],
  [
    "the client's STPaccept",
    (bed) => {
      cutAt(bed, "client", "accept");
      return {};
    },
    ["client_volume_failed"],
    ["client 214", "server 246"],
  ],
  [
    "the server's STPconnect",
    (bed) => {
      cutAt(bed, "server", "connect");
      return {};
    },
    ["server_volume_failed"],
    ["client 214", "server 246"],
  ],
  [
    "the server's STPconnect, for its volume does not show the client",
    (bed) => {
      bed.part();
      return {};
    },
    ["proof_failed"],
    ["client 214", "server 246"],
  ],
  [
    "the server's proof",
    () => ({ prove: { server: mismatch } }),
    ["proof_failed"],
    ["client 214", "server 246"],
  ],
  [
    "the client's proof",
    () => ({ prove: { client: mismatch } }),
    ["proof_failed"],
    ["client 214", "server 246"],
  ],
  [
    "the server's proof while the client's does not end",
    () => ({ prove: { server: mismatch, client: never } }),
    ["proof_failed"],
    ["client 214", "server 246"],
  ],
];

describe("Fig. 5 when the storage connection fails", () => {
  for (const [what, fail, reasons, skipped] of CASES) {
    test(`at ${what}: the job stays on the dynamic connection`, async () => {
      await using bed = await FlowBed.open();
      const [far, near] = await introduce(bed, fail(bed));
      if (far instanceof AgentError) throw far;
      if (near instanceof AgentError) throw near;
      expect([far.mechanism, near.mechanism]).toEqual(["network", "network"]);
      expect(reasons).toContain(far.fallback?.reason ?? "none");
      expect(near.fallback).toEqual(far.fallback);
      const left = bed.log.filter((one) => one.skipped).map((one) => `${one.side} ${one.step}`);
      expect(left.sort()).toEqual([...skipped]);
      for (const number of ["214", "246"]) {
        const closed = bed.log.filter((one) => one.step === number && !one.skipped);
        expect(closed).toEqual([]);
      }
      // Nothing of the agreement is left on the connection, and no STP socket.
      await bed.server.layer.send(far.descriptor, Uint8Array.of(7, 8));
      const into = new Uint8Array(4);
      expect(await bed.client.layer.recv(near.descriptor, into)).toBe(2);
      await bed.client.layer.send(near.descriptor, Uint8Array.of(9));
      expect(await bed.server.layer.recv(far.descriptor, into)).toBe(1);
      expect([into[0], into[1]]).toEqual([9, 8]);
      expect(openDescriptors(bed.client.layer)).toEqual([near.descriptor]);
      expect(openDescriptors(bed.server.layer)).toEqual([3, far.descriptor]);
    });

    test(`at ${what}: storage-only refuses with the reason on both sides`, async () => {
      await using bed = await FlowBed.open();
      const ends = await introduce(bed, { ...fail(bed), storageOnly: true });
      for (const end of ends) {
        expect(end).toBeInstanceOf(StorageError);
        expect(reasons).toContain(end instanceof StorageError ? end.fallback.reason : "none");
      }
      expect(openDescriptors(bed.server.layer)).toEqual([3]);
    });
  }

  test("a cut that comes with the last step still ends in one decision", async () => {
    await using bed = await FlowBed.open();
    const prove = async (conn: Conn) => {
      await bed.prove(conn);
      bed.cut("client");
    };
    const [far, near] = await introduce(bed, { prove: { client: prove } });
    for (const end of [far, near]) {
      expect(end instanceof AgentError ? "error" : end.mechanism).toBe("storage");
    }
    expect(numbers(bed.log, "5", "client").at(-1)).toBe("214");
  });
});
