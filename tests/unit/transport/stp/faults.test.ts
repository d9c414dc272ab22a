// What goes wrong on shared storage, one test per kind: each must be noticed, none may deliver a
// wrong byte. Frames: recovery.test.ts.

import { afterEach, describe, expect, test } from "bun:test";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { viewOf } from "../../../../transport/stp/block_fields.ts";
import {
  ControlBlock,
  controlBlockImage,
  decodeControlBlock,
} from "../../../../transport/stp/control_block.ts";
import { proveMedium, type StpConn } from "../../../../transport/stp/mod.ts";
import { controlBlockOffset, proofBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { MemoryMedium } from "./memory_volume.ts";
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
const FORMAT = { maxHosts: 2, endpointsPerHost: 4, ringSlots: 4, payloadBytes: 64 * 1024 };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function memoryBed(volumeCount = 1, ringSlots = 4): Promise<MemoryBed> {
  const format = { ...FORMAT, ringSlots };
  const bed = await openMemoryBed({ clock, random, volumeCount, timing: SHORT, format });
  opened.push(bed);
  return bed;
}

function medium(bed: MemoryBed, index = 0): MemoryMedium {
  const found = bed.media[index];
  if (found === undefined) throw new Error("no such medium");
  return found;
}

/** Changes the control block that `conn` published, as a bad medium or peer might. */
function forge(bed: MemoryBed, conn: StpConn, change: (block: ControlBlock) => void): void {
  const { host, endpoint } = conn.ids.local;
  const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
  const bytes = medium(bed).bytes.subarray(offset, offset + 4096);
  const block = new ControlBlock();
  expect(decodeControlBlock(bytes, viewOf(bytes), block)).toBe("ok");
  change(block);
  bytes.set(controlBlockImage(block));
}

describe("a control block", () => {
  test("whose cursors move back or too far is ignored and counted", async () => {
    const bed = await memoryBed();
    const [a, b] = await connectPair(bed);
    await writeWhole(a, Uint8Array.of(1, 2));
    expect([...await readCount(b, 2)]).toEqual([1, 2]);
    forge(bed, a, (block) => {
      block.producedFrames = 0;
      block.producedBytes = 0;
      block.consumedFrames = 1000;
      block.consumedBytes = 1000;
    });
    expect(await b.isGone()).toBe(false);
    forge(bed, a, (block) => block.producedFrames = 10 ** 9);
    expect(await b.isGone()).toBe(false);
    for (let turn = 0; turn < 10; turn++) {
      await writeWhole(a, Uint8Array.of(turn));
      expect([...await readCount(b, 1)]).toEqual([turn]);
    }
    let counted = { badCursors: 0, cursorsBack: 0, cursorsBeyond: 0 };
    forge(bed, b, (block) => counted = block);
    expect(counted.cursorsBack).toBeGreaterThanOrEqual(1);
    expect(counted.cursorsBeyond).toBeGreaterThanOrEqual(1);
    expect(counted.badCursors).toBe(counted.cursorsBack + counted.cursorsBeyond);
  });

  test("that is damaged heals, because its owner writes it again", async () => {
    const bed = await memoryBed();
    const [a, b] = await connectPair(bed);
    const { host, endpoint } = a.ids.local;
    const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
    const waiting = a.read(new Uint8Array(1));
    medium(bed).bytes.fill(0, offset + 20, offset + 40);
    const reading = b.read(new Uint8Array(1));
    await writeWhole(b, Uint8Array.of(5));
    expect(await waiting).toBe(1);
    await writeWhole(a, Uint8Array.of(6));
    expect(await reading).toBe(1);
  });

  test("that stays damaged ends the connection", async () => {
    const bed = await memoryBed();
    const [a, b] = await connectPair(bed);
    const { host, endpoint } = a.ids.local;
    const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
    medium(bed).bytes.fill(0, offset + 20, offset + 40);
    medium(bed).losesWrite = (at) => at === offset; // its owner writes it again, in vain
    const reset = await failure(b.read(new Uint8Array(1)));
    expect(reset.message).toContain(`control block on volume "v0" stayed unreadable`);
  });
});

describe("a host", () => {
  test("that dies is noticed by its counter, on both ends", async () => {
    const bed = await memoryBed();
    const [a, b] = await connectPair(bed);
    bed.paths[0].cut = true;
    expect((await failure(b.read(new Uint8Array(1)))).message).toContain("no sign of life");
    const lost = await failure(a.read(new Uint8Array(1)));
    expect(lost.code).toBe("reset");
    expect(lost.message).toContain(`volume "v0"`);
  });

  test("that leaves in order is noticed soon", async () => {
    const bed = await memoryBed();
    const [, b] = await connectPair(bed);
    const reading = failure(b.read(new Uint8Array(1)));
    await bed.hosts[0].member.close();
    expect((await reading).message).toContain("left storage transport group");
  });
});

describe("a token", () => {
  test("that is wrong or missing is refused, the right one is taken", async () => {
    const bed = await memoryBed();
    const token = random.bytes(32);
    const listening = bed.hosts[1].mechanism.STPsocket();
    await listening.bind({ family: "AF_STP", stg: "stg0", host: 2, port: 0 });
    await listening.listen({ backlog: 4, token });
    const connect = async (given?: Uint8Array) => {
      const socket = bed.hosts[0].mechanism.STPsocket();
      const options = given === undefined ? {} : { token: given };
      await socket.connect(listening.getsockname(), { timeoutMs: 5000, ...options });
      return socket.conn;
    };
    expect((await failure(connect())).code).toBe("auth");
    expect((await failure(connect(random.bytes(32)))).code).toBe("auth");
    const conn = await connect(token);
    await writeWhole(conn, Uint8Array.of(1));
    expect([...await readCount((await listening.accept()).conn, 1)]).toEqual([1]);
    await listening.close();
  });
});

describe("proveMedium()", () => {
  test("passes when both sides see the same volumes", async () => {
    const [a, b] = await connectPair(await memoryBed(3));
    await Promise.all([proveMedium(a), proveMedium(b)]);
    await writeWhole(a, Uint8Array.of(1));
    expect([...await readCount(b, 1)]).toEqual([1]);
  });

  test("writes again what is lost: a lossy path is no other medium", async () => {
    const bed = await memoryBed(2);
    const [a, b] = await connectPair(bed);
    const { layout } = bed.identity;
    const proofs = [a, b].map(({ ids: { local } }) =>
      proofBlockOffset(layout, local.host, local.endpoint)
    );
    let lost = 0;
    for (const one of bed.media) {
      const left = new Map(proofs.map((offset) => [offset, 2]));
      one.losesWrite = (offset) => {
        const times = left.get(offset) ?? 0;
        left.set(offset, times - 1);
        if (times > 0) lost++;
        return times > 0;
      };
    }
    await Promise.all([proveMedium(a), proveMedium(b)]);
    expect(lost).toBe(8);
  });

  test("names the volume that is another medium on the other side", async () => {
    const media = [0, 1].map(() => new MemoryMedium(16 * 1024 * 1024));
    const [m0, m1] = media;
    if (m0 === undefined || m1 === undefined) throw new Error("two media");
    const copy = new MemoryMedium(16 * 1024 * 1024);
    const volumes = [
      [m0.open("v0"), m1.open("v1")],
      [m0.open("v0"), copy.open("v1")],
    ] as const;
    const bed = await openStpBed({ clock, random, volumes, timing: SHORT, format: FORMAT });
    opened.push(bed);
    const [a, b] = await connectPair(bed);
    const prove = (conn: StpConn) => failure(proveMedium(conn, { timeoutMs: 50 }));
    const [left, right] = await Promise.all([prove(a), prove(b)]);
    for (const error of [left, right]) expect(error.message).toContain(`volume "v1"`);
    expect([left.code, right.code]).toContain("mismatch");
  });
});

describe("acknowledgements", () => {
  test("cost a fraction of a write per frame", async () => {
    const bed = await memoryBed(1, 16);
    const [a, b] = await connectPair(bed);
    const { host, endpoint } = b.ids.local;
    const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
    let writes = 0;
    medium(bed).onWrite = (at) => {
      if (at === offset) writes++;
    };
    const bytes = new Uint8Array(64 * 1024 * 64);
    const [got] = await Promise.all([readCount(b, bytes.length), writeWhole(a, bytes)]);
    expect(got.length).toBe(bytes.length);
    expect(writes).toBeLessThanOrEqual(32);
  });
});
