// Control blocks whose write the medium lost: the owner writes them again, whatever they told.

import { afterEach, describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { viewOf } from "../../../../transport/stp/block_fields.ts";
import { ControlBlock, decodeControlBlock } from "../../../../transport/stp/control_block.ts";
import { BLOCK_BYTES } from "../../../../transport/stp/limits.ts";
import type { StpConn } from "../../../../transport/stp/mod.ts";
import { controlBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { MemoryMedium } from "./memory_volume.ts";
import {
  connectPair,
  failure,
  type MemoryBed,
  openMemoryBed,
  PATIENT,
  readCount,
  writeWhole,
} from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const FORMAT = { maxHosts: 2, endpointsPerHost: 4, ringSlots: 4, payloadBytes: 64 * 1024 };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function memoryBed(timing = PATIENT): Promise<MemoryBed> {
  const bed = await openMemoryBed({ clock, random, timing, format: FORMAT });
  opened.push(bed);
  return bed;
}

function onlyMedium(bed: MemoryBed): MemoryMedium {
  const found = bed.media[0];
  if (found === undefined) throw new Error("no such medium");
  return found;
}

/** Where each endpoint of `host` has its control block. */
function controlOffsets({ identity: { layout } }: MemoryBed, host: number): number[] {
  return Array.from(
    { length: FORMAT.endpointsPerHost },
    (_, endpoint) => controlBlockOffset(layout, host, endpoint),
  );
}

/** Loses the next write at each of `offsets`. */
function loseNext(bed: MemoryBed, offsets: readonly number[]): void {
  const left = new Set(offsets);
  onlyMedium(bed).losesWrite = (at) => left.delete(at);
}

function kindAt(bed: MemoryBed, offset: number): string {
  const bytes = onlyMedium(bed).bytes.subarray(offset, offset + BLOCK_BYTES);
  const block = new ControlBlock();
  return decodeControlBlock(bytes, viewOf(bytes), block) === "ok" ? block.kind : "none";
}

describe("a control block that the medium lost", () => {
  test("is written again when it told the end of the connection", async () => {
    const bed = await memoryBed();
    const [a, b] = await connectPair(bed);
    loseNext(bed, controlOffsets(bed, a.ids.local.host));
    const reading = failure(b.read(new Uint8Array(1)));
    a.abort("the test says so");
    expect((await reading).message).toContain("the test says so");
  });

  test("is written again while its owner waits for the answer of a listener", async () => {
    const bed = await memoryBed();
    loseNext(bed, controlOffsets(bed, 1));
    const [a, b] = await connectPair(bed);
    await writeWhole(a, Uint8Array.of(1));
    expect([...await readCount(b, 1)]).toEqual([1]);
  });

  test("and shows a little later: a listener that is told of is looked for again", async () => {
    const bed = await memoryBed();
    const [start = 0] = controlOffsets(bed, 2);
    const area = onlyMedium(bed).bytes.subarray(
      start,
      start + FORMAT.endpointsPerHost * BLOCK_BYTES,
    );
    const [stale, shown] = [area.slice(), area.slice()];
    let reads = 0;
    onlyMedium(bed).onRead = (at, length) => {
      if (at !== start || length !== area.length) return;
      reads += 1;
      if (reads === 1) shown.set(area);
      if (reads <= 4) area.set(reads < 4 ? stale : shown);
    };
    const [a, b] = await connectPair(bed);
    expect(reads).toBeGreaterThan(3);
    await writeWhole(a, Uint8Array.of(1));
    expect([...await readCount(b, 1)]).toEqual([1]);
  });

  test("is written again while its owner listens", async () => {
    const bed = await memoryBed();
    const stg = bed.identity.name;
    loseNext(bed, controlOffsets(bed, 2));
    const listening = bed.hosts[1].mechanism.STPsocket();
    opened.push(listening);
    await listening.bind({ family: "AF_STP", stg, host: 2, port: 0 });
    await listening.listen({ backlog: 1 });
    const connect = async (): Promise<StpConn> => {
      const socket = bed.hosts[0].mechanism.STPsocket();
      try {
        await socket.connect(listening.getsockname(), { timeoutMs: 5000 });
      } catch (error) {
        if (!(error instanceof AgentError) || error.code !== "refused") throw error;
        await clock.yield();
        return await connect();
      }
      return socket.conn;
    };
    onlyMedium(bed).losesWrite = () => false;
    const conn = await connect();
    await writeWhole(conn, Uint8Array.of(1));
    expect([...await readCount((await listening.accept()).conn, 1)]).toEqual([1]);
  });

  test("is written again when it told that nobody listens any more", async () => {
    const bed = await memoryBed({ ...PATIENT, watchMs: PATIENT.deadMs / 2 });
    const [connector, { mechanism }] = bed.hosts;
    const listening = mechanism.STPsocket();
    await listening.bind({ family: "AF_STP", stg: bed.identity.name, host: 2, port: 0 });
    await listening.listen({ backlog: 1 });
    const address = listening.getsockname();
    await clock.sleep(50); // Then it repeats nothing by itself for a while.
    loseNext(bed, controlOffsets(bed, 2));
    await listening.close();
    const late = connector.mechanism.STPsocket();
    expect((await failure(late.connect(address, { timeoutMs: 5000 }))).code).toBe("refused");
  });

  test("for ever does not keep its owner from a port that it gave back", async () => {
    const bed = await memoryBed();
    const { mechanism } = bed.hosts[1];
    const address = { family: "AF_STP", stg: bed.identity.name, host: 2, port: 7 } as const;
    const first = mechanism.STPsocket();
    await first.bind(address);
    await first.listen({ backlog: 1 });
    onlyMedium(bed).losesWrite = (at) => controlOffsets(bed, 2).includes(at);
    await first.close();
    const again = mechanism.STPsocket();
    await again.bind(address);
    expect(again.getsockname()).toEqual(address);
  });

  test("is written again when it told that the connector gave up", async () => {
    const bed = await memoryBed();
    const [connector, { mechanism }] = bed.hosts;
    const full = mechanism.STPsocket();
    opened.push(full);
    await full.bind({ family: "AF_STP", stg: bed.identity.name, host: 2, port: 0 });
    await full.listen({ backlog: 1 });
    const address = full.getsockname();
    await connector.mechanism.STPsocket().connect(address, { timeoutMs: 5000 });
    const stop = new AbortController();
    const asking = connector.mechanism.STPsocket();
    const waiting = failure(asking.connect(address, { timeoutMs: 5000, signal: stop.signal }));
    await clock.sleep(50);
    loseNext(bed, controlOffsets(bed, 1));
    stop.abort();
    expect((await waiting).code).toBe("cancelled");
    const kinds = controlOffsets(bed, 1).map((offset) => kindAt(bed, offset));
    expect(kinds).toContain("aborted");
    expect(kinds).not.toContain("connecting");
  });
});
