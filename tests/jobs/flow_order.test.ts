// Fig. 4 and Fig. 4A as a server's job drives them, against a client that listens on two ports and
// lets the two figures meet as its daemon does: order on each side, order across the sides, and
// that the figures really run in parallel.

import { describe, expect, test } from "bun:test";
import { SetupRoom } from "../../agent/client/setup_room.ts";
import type { ClientEntry } from "../../agent/config/mod.ts";
import { WorkerSession } from "../../agent/job/worker_session.ts";
import type { FromWorker } from "../../agent/job/worker_protocol.ts";
import { openFilesystemLink } from "../../agent/server/filesystem_link.ts";
import {
  type Accepted,
  acceptStorage,
  FileSystemDoor,
  type FileSystemSession,
  receiveStorageSetup,
  type StorageSetup,
} from "../../transport/flow/mod.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import { failure } from "../unit/transport/connect/failure.ts";
import {
  down,
  FIG4,
  FIG4A,
  FlowBed,
  IDENTITY,
  numbers,
  openDescriptors,
  outOfOrder,
  runtime,
} from "../unit/transport/flow/flow_bed.ts";
import { UNCONFINED } from "../../agent/confinement.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";

/** Which way the server of these tests moves records. */
const RECEIVING = { direction: "receive" } as const;

/** Tries to find two free ports in a row. */
const PORT_TRIES = 30;

/** A promise and what fulfils it. */
function signalled<T>(): { readonly wait: Promise<T>; readonly fulfil: (value: T) => void } {
  let fulfil: (value: T) => void = () => {};
  const wait = new Promise<T>((resolve) => fulfil = resolve);
  return { wait, fulfil };
}

interface Gates {
  /** Runs before each figure's first message is read. */
  readonly fig4?: () => Promise<unknown>;
  readonly fig4a?: () => Promise<unknown>;
}

/** The client's two ports; whoever comes first waits in the room for the other. */
class ClientSide {
  readonly #bed: FlowBed;
  readonly #gates: Gates;
  readonly session = signalled<FileSystemSession>();
  readonly storage = signalled<number>();
  readonly reached4 = signalled<void>();
  readonly reached4a = signalled<void>();
  readonly #room: SetupRoom;
  port = 0;

  private constructor(bed: FlowBed, gates: Gates) {
    this.#bed = bed;
    this.#gates = gates;
    this.#room = new SetupRoom(
      bed.clock,
      (setup) => bed.client.layer.abort(setup.descriptor, "late"),
    );
  }

  static async listen(bed: FlowBed, gates: (side: ClientSide) => Gates): Promise<ClientSide> {
    let made: Gates = {};
    const side = new ClientSide(bed, {
      fig4: () => made.fig4?.() ?? Promise.resolve(),
      fig4a: () => made.fig4a?.() ?? Promise.resolve(),
    });
    made = gates(side);
    const { layer } = bed.client;
    const door = new FileSystemDoor({
      layer,
      clock: bed.clock,
      name: "web01",
      connections: 2,
      signal: bed.signal,
      admit: () => {},
      onSession: (session) => side.#enter(session),
    });
    const onFirst = async (accepted: Accepted) => {
      side.reached4.fulfil();
      await side.#gates.fig4?.();
      await door.enter(accepted);
    };
    for (let tries = 1;; tries++) {
      const { port } = await bed.listen(FIG4, onFirst);
      try {
        await bed.listen(FIG4A, (accepted) => side.#bring(accepted), port + 1);
        side.port = port;
        return side;
      } catch (error) {
        const taken = error instanceof AgentError && error.code === "port_in_use";
        if (!taken || port + 1 > 65535 || tries === PORT_TRIES) throw error;
      }
    }
  }

  close(): void {
    this.#room.clear();
  }

  #enter(session: FileSystemSession): void {
    this.session.fulfil(session);
    this.#room.enter(session.hello, (setup) => void this.#accept(setup));
  }

  async #bring(accepted: Accepted): Promise<void> {
    this.reached4a.fulfil();
    await this.#gates.fig4a?.();
    const { layer, clock, signal } = this.#bed.client.context;
    const setup = await receiveStorageSetup(accepted, { layer, clock, signal });
    this.#room.bring(setup);
  }

  async #accept(setup: StorageSetup): Promise<void> {
    const { context, group } = this.#bed.client;
    this.storage.fulfil(
      await acceptStorage(context, {
        descriptor: setup.descriptor,
        identity: { ...IDENTITY, name: "web01" },
        message: setup.message,
        group,
        random: runtime.random,
        prove: this.#bed.prove,
      }),
    );
  }
}

function entryOf(port: number, change: Partial<ClientEntry> = {}): ClientEntry {
  return {
    name: "web01",
    address: "127.0.0.1",
    port,
    stg: "stg0",
    channel: "prefer-storage",
    waitMs: 0,
    connections: 2,
    selection: EVERYTHING,
    fullEvery: null,
    allow: UNCONFINED,
    ...change,
  };
}

/** A job's session on the server; its steps go into the bed's log. */
function serverSession(bed: FlowBed, client: ClientEntry): WorkerSession {
  const post = (message: FromWorker) => {
    if (message.type === "steps") bed.log.push(...message.steps);
  };
  return new WorkerSession({
    runtime,
    network: new TcpMechanism(runtime.network),
    storage: bed.storage("server"),
    post,
    task: {
      kind: "server-filesystem",
      identity: IDENTITY,
      steps: [],
      client,
      stg: { unusable: "down", detail: "the test hands the group in" },
      vault: "",
      action: { type: "backup", backup: "b", paths: ["/"], ...EVERYTHING, full: true },
    },
  });
}

const ACROSS = [
  ["116", "86"],
  ["90", "120"],
  ["122", "92"],
  ["100", "126"],
  ["156", "136"],
  ["138", "160"],
  ["166", "146"],
  ["170", "140"],
] as const;

describe("the flows of a file-system job", () => {
  test("Fig. 4 and 4A overlap in time, each in its order, every send before its receive", async () => {
    await using bed = await FlowBed.open();
    // Neither figure goes on before the other has begun: one after the other would never end.
    const side = await ClientSide.listen(bed, (own) => ({
      fig4: () => own.reached4a.wait,
      fig4a: () => own.reached4.wait,
    }));
    const client = entryOf(side.port);
    await using session = serverSession(bed, client);
    const { group } = bed.server;
    const opened = await openFilesystemLink(session, {
      client,
      group,
      ...RECEIVING,
      prove: bed.prove,
    });
    expect([opened.channel, opened.fallback]).toEqual(["storage", null]);
    const far = await side.session.wait;
    const stp = await side.storage.wait;
    const { log } = bed;
    const server4 = ["82", "84", "86", "90", "92", "94", "96", "98", "100"];
    const server4a = ["132", "134", "136", "138", "140", "142", "144", "146"];
    const client4 = ["112", "114", "116", "118", "120", "122", "124", "126"];
    const client4a = ["162", "164", "166", "168", "170", "172"];
    expect(numbers(log, "4", "server")).toEqual(server4);
    expect(numbers(log, "4A", "server")).toEqual(server4a);
    expect(numbers(far.steps, "4", "client")).toEqual(client4);
    expect(numbers(log, "4A", "client").slice(-6)).toEqual(client4a);
    expect(outOfOrder(log, [...ACROSS, ["132", "100"], ["82", "146"]])).toEqual([]);
    // Of the network the job keeps two connections, of the storage one, on either side.
    expect(openDescriptors(session.layer).map((one) => one >= 65536)).toEqual([false, false, true]);
    expect(openDescriptors(bed.client.layer).filter((one) => one >= 65536)).toEqual([stp]);
    expect(openDescriptors(bed.client.layer).length - 1).toBe(bed.listening + 2);
  });

  test("the set-up that comes before its job waits for it", async () => {
    await using bed = await FlowBed.open();
    const stepped = signalled<void>();
    const side = await ClientSide.listen(bed, () => ({ fig4: () => stepped.wait }));
    const client = entryOf(side.port);
    await using session = serverSession(bed, client);
    const { group } = bed.server;
    const opening = openFilesystemLink(session, { client, group, ...RECEIVING, prove: bed.prove });
    await side.reached4a.wait;
    stepped.fulfil();
    expect((await opening).channel).toBe("storage");
    side.close();
  });

  test("a client that ends while its storage is waited for ends the wait", async () => {
    await using bed = await FlowBed.open();
    const busy = () => Promise.reject(new AgentError("timeout", "Cannot set up: it is busy"));
    const side = await ClientSide.listen(bed, () => ({ fig4a: busy }));
    const client = entryOf(side.port, { waitMs: 600_000 });
    await using session = serverSession(bed, client);
    const { group } = bed.server;
    const opening = openFilesystemLink(session, { client, group, ...RECEIVING, prove: bed.prove });
    const { control, errors } = await side.session.wait;
    for (const descriptor of [control, errors]) {
      if (descriptor !== null) bed.client.layer.abort(descriptor, "killed");
    }
    expect((await failure(() => opening)).code).toBe("reset");
    side.close();
  });

  test("network-only traces Fig. 4A as skipped and opens nothing for it", async () => {
    await using bed = await FlowBed.open();
    const side = await ClientSide.listen(bed, () => ({}));
    const client = entryOf(side.port, { channel: "network-only" });
    await using session = serverSession(bed, client);
    const { group } = bed.server;
    const opened = await openFilesystemLink(session, {
      client,
      group,
      ...RECEIVING,
      prove: bed.prove,
    });
    expect([opened.channel, opened.fallback]).toEqual(["network", null]);
    const skipped = bed.log.filter((one) => one.skipped);
    expect(skipped.map((one) => [one.figure, one.step])).toEqual([["4A", "132-146"]]);
    expect(openDescriptors(session.layer)).toEqual([3, 4]);
  });

  test("a group that is down falls back with the reason; storage-only fails with it", async () => {
    const group = down("stg0 is down");
    for (const channel of ["prefer-storage", "storage-only"] as const) {
      await using bed = await FlowBed.open();
      const side = await ClientSide.listen(bed, () => ({}));
      const client = entryOf(side.port, { channel });
      await using session = serverSession(bed, client);
      const opening = openFilesystemLink(session, {
        client,
        group,
        ...RECEIVING,
        prove: bed.prove,
      });
      if (channel === "prefer-storage") {
        const { fallback, channel } = await opening;
        expect([channel, fallback]).toEqual(["network", group.unusable]);
      } else {
        const error = await failure(() => opening);
        expect(error.message).toContain("stg0 is down");
      }
    }
  });

  test("a client that does not listen is unreachable, named with its address", async () => {
    await using bed = await FlowBed.open();
    const free = await runtime.network.listen({ address: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    await free.close();
    const client = entryOf(port);
    await using session = serverSession(bed, client);
    const { group } = bed.server;
    const opening = openFilesystemLink(session, { client, group, ...RECEIVING, prove: bed.prove });
    const error = await failure(() => opening);
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain(`client "web01" at 127.0.0.1:${port}`);
  });
});
