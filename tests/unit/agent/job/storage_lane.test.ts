// A job's records when its storage channel dies: over the network from the record that the
// receiver lacks, nothing twice, nothing missing, whoever notices and when.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JobLink, LinkMessage } from "../../../../agent/job/link.ts";
import { TELL_TIMEOUT_MS } from "../../../../agent/job/limits.ts";
import type { LaneOptions } from "../../../../agent/job/storage_lane.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import type { Fallback } from "../../../../transport/flow/mod.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";
import { clock, dataRecord, linkBed, type LinkBedOptions } from "./link_bed.ts";

const LOST = { reason: "client_stg_lost", detail: "no heartbeat" } as const;
const lostError = new AgentError("reset", LOST.detail);

/** Both ends of a link on the storage, each with what it was told of a fallback. */
function laneBed(options: LinkBedOptions & { readonly mayFallBack?: boolean } = {}) {
  const lost = [new AbortController(), new AbortController()] as const;
  const told: [Fallback[], Fallback[]] = [[], []];
  const { mayFallBack = true, ...rest } = options;
  const lane = (side: 0 | 1): Partial<LaneOptions> => ({
    mayFallBack,
    lost: lost[side].signal,
    onFallback: (fallback) => told[side].push(fallback),
  });
  const bed = linkBed(3, { ...rest, lanes: [lane(0), lane(1)] });
  const cut = () => bed.pairs[2]?.[0].abort("the medium is gone");
  return { ...bed, lost, told, cut };
}

/** Writes of the sender to the storage do not end any more. */
function stopWrites({ pairs }: ReturnType<typeof laneBed>): void {
  const data = pairs[2]?.[0];
  if (data === undefined) throw new Error("three connections");
  data.write = () => new Promise(() => {});
}

const frameOf = (sequence: number, bytes: number) =>
  new Uint8Array(bytes).map((_, index) => (sequence * 31 + index) & 0xff);

/** Sends records as a backup does, while what the receiver says is read; memory is used again. */
async function send(link: JobLink, sizes: readonly number[], onSent: (count: number) => void) {
  const reading = readToResult(link);
  reading.catch(() => {}); // What ends it ends the sending, too.
  for (const [sequence, bytes] of sizes.entries()) {
    const frame = frameOf(sequence, bytes);
    await link.sendData(dataRecord(sequence, { frame }), { release: () => frame.fill(0xee) });
    onSent(sequence + 1);
  }
  await link.send({ type: "end", records: sizes.length });
  await reading;
}

async function readToResult(link: JobLink): Promise<void> {
  let message: LinkMessage;
  do message = await link.receive(); while (
    message.kind !== "document" || message.document.type !== "result"
  );
}

async function receive(link: JobLink, onReceived: (count: number) => void): Promise<number[]> {
  const sizes: number[] = [];
  let end = Number.POSITIVE_INFINITY;
  while (sizes.length < end) {
    const message = await link.receive();
    if (message.kind === "document") {
      if (message.document.type === "end") end = message.document.records;
      continue;
    }
    if (message.kind === "parent" || message.kind === "piece") throw new Error("nobody asked");
    const { frame, sequence } = message.record;
    expect([...frame]).toEqual([...frameOf(sequence, frame.length)]);
    sizes.push(frame.length);
    onReceived(sizes.length);
    await link.acknowledge(sizes.length);
  }
  const result = { type: "result", backup: null, status: "ok", files: 0, bytes: 0 } as const;
  await link.send(result);
  return sizes;
}

describe("StorageLane", () => {
  test("carries every record once, whoever loses the storage and at which record", async () => {
    const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 }));
    const who = fc.constantFrom("sender", "receiver", "both", "nobody");
    const point = fc.nat(40);
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { maxLength: 40 }),
        fc.tuple(who, point, point),
        fc.integer({ min: 1, max: 5000 }),
        async (sizes, [loser, sent, received], capacityBytes) => {
          const bed = laneBed({ capacityBytes });
          const lose = (side: 0 | 1) => bed.lost[side].abort(lostError);
          const sending = send(bed.near, sizes, (count) => {
            if (count === sent && (loser === "sender" || loser === "both")) lose(0);
          });
          const arrived = await receive(bed.far, (count) => {
            if (count === received && (loser === "receiver" || loser === "both")) lose(1);
          });
          await sending;
          expect(arrived).toEqual(sizes);
          expect(bed.told[0]).toEqual(bed.told[1]);
          expect(bed.told[0].length <= 1).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("sends a full window again, and what comes after it", async () => {
    const bed = laneBed({ capacityBytes: 64 });
    const sizes = Array.from({ length: 1000 }, (_, index) => index % 50);
    const sending = send(bed.near, sizes, () => {});
    for (let turn = 0; turn < 500; turn++) await Promise.resolve();
    bed.lost[1].abort(lostError);
    expect(await receive(bed.far, () => {})).toEqual(sizes);
    await sending;
    expect(bed.told[0]).toEqual([{ reason: "server_stg_lost", detail: LOST.detail }]);
    expect(bed.told[1]).toEqual(bed.told[0]);
  });

  test("a connection that just ends falls back when the peer says nothing in time", async () => {
    const hand = new HandClock();
    const bed = laneBed({ clock: hand });
    bed.cut();
    const sizes = [5, 6, 7];
    const sending = send(bed.near, sizes, () => {});
    const receiving = receive(bed.far, () => {});
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(bed.told[1]).toEqual([]);
    await hand.ring(TELL_TIMEOUT_MS);
    expect(await receiving).toEqual(sizes);
    await sending;
    expect(bed.told[1].map((one) => one.reason)).toEqual(["connection_lost"]);
  });

  test("a connection that ends because the peer failed is no fallback", async () => {
    const bed = laneBed({ clock });
    const receiving = bed.far.receive();
    bed.cut();
    const error = { code: "no_space", message: "Cannot read: no memory" } as const;
    await bed.near.fail(error);
    expect(await receiving).toEqual({ kind: "document", document: { type: "error", error } });
    expect(bed.told).toEqual([[], []]);
  });

  test("a record that waits for the peer ends when the peer's failure was read", async () => {
    const bed = laneBed();
    stopWrites(bed);
    const read = new AbortController();
    const sending = failure(() => bed.near.sendData(dataRecord(0), { signal: read.signal }));
    await bed.far.fail({ code: "no_space", message: "Cannot write: full" });
    const message = await bed.near.receive();
    expect(message.kind === "document" && message.document.type).toBe("error");
    read.abort(new AgentError("no_space", "Cannot write: full"));
    expect((await sending).code).toBe("no_space");
  });

  test("a volume that fails is the reason at once", async () => {
    const cause = new AgentError("volume", 'Cannot write volume "v0": I/O error');
    const bed = laneBed();
    const data = bed.pairs[2]?.[0];
    if (data === undefined) throw new Error("three connections");
    data.write = () => Promise.reject(new AgentError("reset", "Cannot use it", { cause }));
    const sending = send(bed.near, [1, 2], () => {});
    expect(await receive(bed.far, () => {})).toEqual([1, 2]);
    await sending;
    expect(bed.told[1].map((one) => one.reason)).toEqual(["client_volume_failed"]);
  });

  test("a sender whose write never ends goes on when its host loses the group", async () => {
    const bed = laneBed();
    stopWrites(bed);
    const sending = send(bed.near, [1, 2, 3], () => {});
    const receiving = receive(bed.far, () => {});
    bed.lost[0].abort(lostError);
    expect(await receiving).toEqual([1, 2, 3]);
    await sending;
    expect(bed.told[1]).toEqual([LOST]);
  });

  test("storage-only ends the job with the reason, on whichever side", async () => {
    for (const side of [0, 1] as const) {
      const bed = laneBed({ mayFallBack: false });
      const waiting = failure(() => (side === 0 ? bed.near : bed.far).receive());
      bed.lost[side].abort(lostError);
      const error = await waiting;
      expect([error.code, error.message]).toEqual([
        "failed",
        "Cannot use the storage channel: no heartbeat",
      ]);
      expect(bed.told).toEqual([[], []]);
    }
  });

  test("a sender that waits for room ends when the peer is gone", async () => {
    const bed = laneBed({ capacityBytes: 1 << 20 });
    const sizes = Array.from({ length: 1000 }, () => 1);
    const sending = failure(() => send(bed.near, sizes, () => {}));
    for (let turn = 0; turn < 20_000; turn++) await Promise.resolve();
    await bed.far.fail({ code: "no_space", message: "Cannot write: full" });
    expect((await sending).code).not.toBe("timeout");
  });
});

describe("StorageLane refuses", () => {
  const cases = [
    ["more records than were sent", { received: 2 }],
    ["a second fall-back", { received: 1, twice: true }],
  ] as const;
  for (const [what, { received, ...rest }] of cases) {
    test(what, async () => {
      const bed = laneBed();
      await bed.near.sendData(dataRecord(0));
      const fallBack = { type: "fall-back", received, ...LOST } as const;
      await bed.far.send(fallBack);
      if ("twice" in rest) await bed.far.send(fallBack);
      const error = await failure(() => bed.near.receive());
      expect(["damaged", "reset"]).toContain(error.code);
    });
  }

  test("a record out of its turn", async () => {
    const bed = laneBed();
    await bed.near.sendData(dataRecord(1));
    expect((await failure(() => bed.far.receive())).code).toBe("damaged");
  });
});
