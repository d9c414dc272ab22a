// Several frames in flight on asynchronous volumes: operations complete in any order, and nothing
// is published, delivered or given back too early.

import { afterEach, describe, expect, test } from "bun:test";
import { crc32 } from "../../../../transport/ground/crc32.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { viewOf } from "../../../../transport/stp/block_fields.ts";
import { ControlBlock, decodeControlBlock } from "../../../../transport/stp/control_block.ts";
import { PREFETCH_FRAMES } from "../../../../transport/stp/limits.ts";
import type { StpConn } from "../../../../transport/stp/mod.ts";
import {
  controlBlockOffset,
  metadataBytes,
  windowFrames,
} from "../../../../transport/stp/stg_layout.ts";
import type { Volume } from "../../../../transport/volume.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { RandomOrder } from "./random_order.ts";
import {
  connectPair,
  failure,
  type MemoryBed,
  openMemoryBed,
  openStpBed,
  readCount,
  SHORT,
  writeWhole,
} from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const PAYLOAD = 64 * 1024;
const FORMAT = { maxHosts: 2, endpointsPerHost: 4, ringSlots: 12, payloadBytes: PAYLOAD };
const PATIENT = {
  ...SHORT,
  watchMs: 10_000, // a connection that is slow to be run tells again what it told: not here
  healMs: 20_000,
  lingerMs: 20_000,
  deadMs: 20_000,
  quarantineMs: 20_000,
};

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function asyncBed(volumeCount: number): Promise<MemoryBed> {
  const options = { clock, random, timing: PATIENT, format: FORMAT, asynchronous: true };
  const bed = await openMemoryBed({ ...options, volumeCount });
  opened.push(bed);
  return bed;
}

function disorder(bed: MemoryBed): RandomOrder {
  const order = new RandomOrder(clock, Math.random, (bytes) => bytes === PAYLOAD);
  for (const medium of bed.media) medium.delay = order.delay;
  return order;
}

function publishedBy(bed: MemoryBed, conn: StpConn): ControlBlock {
  const { host, endpoint } = conn.ids.local;
  const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
  const bytes = firstMedium(bed).bytes.slice(offset, offset + 4096);
  const block = new ControlBlock();
  expect(decodeControlBlock(bytes, viewOf(bytes), block)).toBe("ok");
  return block;
}

function firstMedium(bed: MemoryBed): MemoryMedium {
  const [medium] = bed.media;
  if (medium === undefined) throw new Error("no medium");
  return medium;
}

/** Large arrays are slow to compare element by element, and hold up the heartbeats meanwhile. */
function expectSame(got: Uint8Array, sent: Uint8Array): void {
  expect([got.length, crc32(got)]).toEqual([sent.length, crc32(sent)]);
}

for (const volumeCount of [1, 2, 3]) {
  describe(`a stream over ${volumeCount} asynchronous volumes`, () => {
    test("arrives in order when operations complete in any order", async () => {
      const bed = await asyncBed(volumeCount);
      const [a, b] = await connectPair(bed);
      const order = disorder(bed);
      const there = random.bytes(PAYLOAD * 30 + 77);
      const back = random.bytes(PAYLOAD * 11 + 5000);
      const [gotThere, gotBack] = await Promise.all([
        readCount(b, there.length),
        readCount(a, back.length),
        writeWhole(a, there),
        writeWhole(b, back),
      ]);
      expectSame(gotThere, there);
      expectSame(gotBack, back);
      expect(order.most).toBeGreaterThanOrEqual(4);
    });

    test("publishes a frame only when it and all before it are on their volumes", async () => {
      const bed = await asyncBed(volumeCount);
      const [a, b] = await connectPair(bed);
      const bytes = random.bytes(PAYLOAD * 24);
      disorder(bed);
      // What was announced is read: a frame that is not there yet would be found bad.
      const [got] = await Promise.all([readCount(b, bytes.length), writeWhole(a, bytes)]);
      expectSame(got, bytes);
      expect(publishedBy(bed, b)).toMatchObject({ badFrames: 0, requests: 0 });
    });

    test("is whole after close, which waits for what is under way", async () => {
      const bed = await asyncBed(volumeCount);
      const [a, b] = await connectPair(bed);
      disorder(bed);
      const bytes = random.bytes(PAYLOAD * 5 + 1);
      const reading = readCount(b, bytes.length + 1);
      await writeWhole(a, bytes);
      await a.close();
      expectSame(await reading, bytes);
      await b.close();
    });
  });
}

describe("StpConn.write()", () => {
  test("goes on while there is credit, before the first write is complete", async () => {
    const bed = await asyncBed(1);
    const [a, b] = await connectPair(bed);
    const hold = Promise.withResolvers<void>();
    const data = metadataBytes(bed.identity.layout);
    firstMedium(bed).delay = (offset) => offset >= data ? hold.promise : Promise.resolve();
    const bytes = random.bytes(PAYLOAD * windowFrames(bed.identity.layout));
    const copy = bytes.slice();
    await writeWhole(a, bytes);
    expect(publishedBy(bed, a).producedFrames).toBe(0);
    bytes.fill(0); // the caller may use its buffer again
    hold.resolve();
    expectSame(await readCount(b, copy.length), copy);
  });

  test("gathers in one frame what comes while a payload is being written", async () => {
    const bed = await asyncBed(1);
    const [a, b] = await connectPair(bed);
    const data = metadataBytes(bed.identity.layout);
    const hold = Promise.withResolvers<void>();
    let writes = 0;
    firstMedium(bed).delay = (offset) => {
      if (offset >= data) writes++;
      return offset >= data ? hold.promise : Promise.resolve();
    };
    const bytes = random.bytes(PAYLOAD * 2 + 9000);
    for (let at = 0; at < bytes.length; at += 5000) {
      await writeWhole(a, bytes.subarray(at, at + 5000));
    }
    // The first alone and two that grew full; the last one still takes bytes.
    expect(writes).toBe(3);
    await a.closeWrite();
    hold.resolve();
    firstMedium(bed).delay = () => Promise.resolve();
    expectSame(await readCount(b, bytes.length + 1), bytes);
    expect(publishedBy(bed, a)).toMatchObject({ finFrames: 4, producedFrames: 4 });
  });

  test("begins no gathered frame once the connection has failed", async () => {
    const bed = await asyncBed(1);
    const [a] = await connectPair(bed);
    const data = metadataBytes(bed.identity.layout);
    const hold = Promise.withResolvers<void>();
    let writes = 0;
    firstMedium(bed).delay = (offset) => {
      if (offset >= data) writes++;
      return offset >= data ? hold.promise : Promise.resolve();
    };
    await writeWhole(a, random.bytes(5000));
    await writeWhole(a, random.bytes(5000));
    a.abort("enough");
    hold.resolve();
    for (let turn = 0; turn < 5; turn++) await clock.yield();
    expect(writes).toBe(1);
  });

  test("tells of a quarter of the window at once while more frames are under way", async () => {
    const bed = await asyncBed(1);
    const [a] = await connectPair(bed);
    const frames = windowFrames(bed.identity.layout);
    const data = metadataBytes(bed.identity.layout);
    const landings = Array.from({ length: frames }, () => Promise.withResolvers<void>());
    const waiting = landings.values();
    firstMedium(bed).delay = (offset) =>
      offset < data ? Promise.resolve() : waiting.next().value?.promise ?? Promise.resolve();
    await writeWhole(a, random.bytes(PAYLOAD * frames));
    const told = new Set<number>();
    for (const landing of landings) {
      landing.resolve();
      for (let turn = 0; turn < 3; turn++) await clock.yield();
      told.add(publishedBy(bed, a).producedFrames);
    }
    expect([...told]).toEqual([0, 3, 6, 9, 12]);
  });

  test("tells at the next call that an earlier write failed, naming the volume", async () => {
    const bed = await asyncBed(2);
    const [a, b] = await connectPair(bed);
    const data = metadataBytes(bed.identity.layout);
    const fail = Promise.withResolvers<void>();
    const second = bed.media[1];
    if (second === undefined) throw new Error("no second medium");
    second.delay = (offset) => offset >= data ? fail.promise : Promise.resolve();
    await writeWhole(a, new Uint8Array(PAYLOAD * 2));
    fail.reject(new Error("no such device"));
    await clock.sleep(1);
    const lost = await failure(a.write(Uint8Array.of(1)));
    expect(lost.code).toBe("reset");
    expect(lost.message).toContain(`volume "v1"`);
    expect((await failure(readCount(b, PAYLOAD * 2))).message).toContain(`volume "v1"`);
    expect(publishedBy(bed, a).undrained).toBe(true);
  });
});

describe("StpConn.abort()", () => {
  test("keeps the endpoint until the writes under way have landed", async () => {
    const bed = await asyncBed(1);
    const [a] = await connectPair(bed);
    const hold = Promise.withResolvers<void>();
    const data = metadataBytes(bed.identity.layout);
    const medium = firstMedium(bed);
    medium.delay = (offset) => offset >= data ? hold.promise : Promise.resolve();
    await writeWhole(a, new Uint8Array(PAYLOAD * 2));
    a.abort("the test says so");
    await clock.sleep(1);
    expect(publishedBy(bed, a)).toMatchObject({ kind: "aborted", undrained: true });
    // The three other endpoints of the host are free, this one is not.
    const sockets = [];
    for (let index = 0; index < 3; index++) {
      const socket = bed.hosts[0].mechanism.STPsocket();
      opened.push(socket);
      await socket.bind({ family: "AF_STP", stg: "stg0", host: 1, port: 0 });
      await socket.listen({ backlog: 1 });
      sockets.push(socket);
    }
    const last = bed.hosts[0].mechanism.STPsocket();
    opened.push(last);
    await last.bind({ family: "AF_STP", stg: "stg0", host: 1, port: 0 });
    expect((await failure(last.listen({ backlog: 1 }))).code).toBe("busy");
    hold.resolve();
    await clock.sleep(1);
    expect(publishedBy(bed, a)).toMatchObject({ kind: "aborted", undrained: false });
    await last.listen({ backlog: 1 });
  });
});

describe("memory of a reader on asynchronous volumes", () => {
  for (let count = 1; count <= 8; count++) {
    test(`is allocated once for each connection, with ${count} volumes`, async () => {
      const media = Array.from({ length: count }, () => new MemoryMedium(16 * 1024 * 1024));
      let allocations = 0;
      const open = (): Volume[] =>
        media.map((medium, index) => medium.open(`v${index}`, { asynchronous: true }));
      const counted = open().map((volume) => {
        const allocate = (bytes: number) => {
          if (bytes === PAYLOAD) allocations++;
          return new Uint8Array(bytes);
        };
        return Object.assign(volume, { allocate });
      });
      const options = { clock, random, timing: PATIENT, format: FORMAT };
      const bed = await openStpBed({ ...options, volumes: [open(), counted] });
      opened.push(bed);
      const [writer, reader] = await connectPair(bed);
      const sent = random.bytes(PAYLOAD * 50);
      const writing = writeWhole(writer, sent);
      expectSame(await readCount(reader, sent.length), sent);
      await writing;
      expect(allocations).toBeGreaterThan(0);
      expect(allocations).toBeLessThan(PREFETCH_FRAMES + count);
    });
  }
});
