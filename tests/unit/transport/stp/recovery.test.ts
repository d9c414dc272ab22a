// Frames that were lost, damaged or overwritten on the medium: they are noticed, asked for and
// written again, to the byte; what stays damaged ends the connection by name.

import { afterEach, describe, expect, test } from "bun:test";
import { crc32 } from "../../../../transport/ground/crc32.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { viewOf } from "../../../../transport/stp/block_fields.ts";
import { ControlBlock, decodeControlBlock } from "../../../../transport/stp/control_block.ts";
import {
  FRAME_ENTRIES,
  FRAME_TABLE_OFFSET,
  INLINE_BYTES_MAX,
  INLINE_OFFSET,
} from "../../../../transport/stp/limits.ts";
import type { StpConn } from "../../../../transport/stp/mod.ts";
import {
  controlBlockOffset,
  extentOffset,
  slotBytes,
} from "../../../../transport/stp/stg_layout.ts";
import { MemoryMedium } from "./memory_volume.ts";
import {
  connectPair,
  failure,
  type MemoryBed,
  openMemoryBed,
  PATIENT,
  readCount,
  SHORT,
  writeWhole,
} from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const FORMAT = { maxHosts: 2, endpointsPerHost: 4, ringSlots: 4, payloadBytes: 64 * 1024 };
/** Bytes of a small frame that still needs a slot. */
const SLOTTED = INLINE_BYTES_MAX + 1;

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

interface BedOptions {
  readonly volumeCount?: number;
  readonly asynchronous?: boolean;
  readonly timing?: typeof SHORT;
}

async function memoryBed(options: BedOptions = {}): Promise<MemoryBed> {
  const bed = await openMemoryBed({ clock, random, timing: PATIENT, format: FORMAT, ...options });
  opened.push(bed);
  return bed;
}

function medium(bed: MemoryBed, index = 0): MemoryMedium {
  const found = bed.media[index];
  if (found === undefined) throw new Error("no such medium");
  return found;
}

function slotStart(bed: MemoryBed, conn: StpConn, slot: number): number {
  const { layout } = bed.identity;
  const { host, endpoint } = conn.ids.local;
  return extentOffset(layout, host, endpoint) + slot * slotBytes(layout);
}

/** The bytes of slot `slot` of the ring that `conn` writes, on volume 0. */
function slotOf(bed: MemoryBed, conn: StpConn, slot: number): Uint8Array {
  const start = slotStart(bed, conn, slot);
  return medium(bed).bytes.subarray(start, start + slotBytes(bed.identity.layout));
}

/** The frame table that `conn` published last. */
function tableOf(bed: MemoryBed, conn: StpConn): Uint8Array {
  const { host, endpoint } = conn.ids.local;
  const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
  return medium(bed).bytes.subarray(offset + FRAME_TABLE_OFFSET, offset + 4096);
}

/**
 * Puts an older table where the reader looks, until it looked a few times: its owner repeats.
 * @param frames set before they are announced, since the reader may look at any time
 */
function keepTable(bed: MemoryBed, conn: StpConn, table: Uint8Array, frames = 0): void {
  const { host, endpoint } = conn.ids.local;
  const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
  let looks = 0;
  medium(bed).onRead = (at) => {
    if (at !== offset || looks >= 5 || blockOf(bed, conn).producedFrames < frames) return;
    looks++;
    tableOf(bed, conn).set(table);
  };
}

/** The control block that `conn` published last. */
function blockOf(bed: MemoryBed, conn: StpConn): ControlBlock {
  const { host, endpoint } = conn.ids.local;
  const offset = controlBlockOffset(bed.identity.layout, host, endpoint);
  const bytes = medium(bed).bytes.slice(offset, offset + 4096);
  const block = new ControlBlock();
  expect(decodeControlBlock(bytes, viewOf(bytes), block)).toBe("ok");
  return block;
}

/** Lets `conn` see how far its peer is. */
async function acknowledged(conn: StpConn): Promise<void> {
  await conn.isGone();
}

for (const asynchronous of [false, true]) {
  describe(`a frame on ${asynchronous ? "asynchronous" : "synchronous"} volumes`, () => {
    test("with a flipped bit is written again with the same bytes", async () => {
      const bed = await memoryBed({ asynchronous });
      const [a, b] = await connectPair(bed);
      const bytes = random.bytes(SLOTTED);
      await writeWhole(a, bytes);
      await announced(bed, a, 1);
      const slot = slotOf(bed, a, 0);
      const whole = slot.slice();
      slot[500] = (slot[500] ?? 0) ^ 2;
      expect(await readCount(b, bytes.length)).toEqual(bytes);
      expect(slotOf(bed, a, 0)).toEqual(whole);
      expect(blockOf(bed, b).requests).toBeGreaterThan(0);
      expect(blockOf(bed, b).tornFrames).toBeGreaterThan(0);
      await writeWhole(a, Uint8Array.of(1)); // publishes the count
      await readCount(b, 1);
      expect(blockOf(bed, a).sentAgain).toBeGreaterThan(0);
      expect(blockOf(bed, b).askedFrame).toBe(0);
    });

    test("whose slot holds something else is asked for again", async () => {
      const bed = await memoryBed({ asynchronous });
      const [a, b] = await connectPair(bed);
      await writeWhole(a, random.bytes(SLOTTED));
      await readCount(b, SLOTTED);
      const previous = slotOf(bed, a, 0).slice();
      const bytes = random.bytes(SLOTTED);
      await writeWhole(a, bytes);
      await announced(bed, a, 2);
      for (let slot = 0; slot < FORMAT.ringSlots; slot++) slotOf(bed, a, slot).set(previous);
      expect(await readCount(b, SLOTTED)).toEqual(bytes);
      await consumed(bed, b, 2);
      expect(blockOf(bed, b).tornFrames).toBeGreaterThan(0);
    });

    test("that stands in the control block needs no slot, and heals there", async () => {
      const bed = await memoryBed({ asynchronous });
      const [a, b] = await connectPair(bed);
      const empty = slotOf(bed, a, 0).slice();
      for (const [index, length] of [1, INLINE_BYTES_MAX].entries()) {
        const bytes = random.bytes(length);
        await writeWhole(a, bytes);
        await announced(bed, a, index + 1);
        const flipped = tableOf(bed, a).slice();
        const at = INLINE_OFFSET - FRAME_TABLE_OFFSET;
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        keepTable(bed, a, flipped);
        expect(await readCount(b, length)).toEqual(bytes);
        await consumed(bed, b, index + 1);
        await acknowledged(a);
      }
      expect(blockOf(bed, b).tornFrames).toBeGreaterThan(0);
      expect(slotOf(bed, a, 0)).toEqual(empty);
    });

    test("that finds another one unacknowledged in the control block takes a slot", async () => {
      const bed = await memoryBed({ asynchronous });
      const [a, b] = await connectPair(bed);
      const first = random.bytes(100);
      const second = random.bytes(100);
      await writeWhole(a, first);
      await writeWhole(a, second);
      await announced(bed, a, 2);
      expect(slotOf(bed, a, 0).subarray(0, 100)).toEqual(second);
      expect(await readCount(b, 200)).toEqual(Uint8Array.of(...first, ...second));
    });

    test("whose descriptor is of the previous lap, or of another connection, is", async () => {
      const bed = await memoryBed({ asynchronous });
      const [a, b] = await connectPair(bed);
      await writeWhole(a, Uint8Array.of(7));
      await announced(bed, a, 1);
      const first = tableOf(bed, a).slice();
      for (let seq = 1; seq < FRAME_ENTRIES; seq++) {
        await readCount(b, 1);
        await writeWhole(a, Uint8Array.of(seq));
      }
      await readCount(b, 1);
      keepTable(bed, a, first, FRAME_ENTRIES + 1);
      await writeWhole(a, Uint8Array.of(99));
      await announced(bed, a, FRAME_ENTRIES + 1);
      expect([...await readCount(b, 1)]).toEqual([99]);
      await consumed(bed, b, FRAME_ENTRIES + 1);
      expect(blockOf(bed, b).staleFrames).toBeGreaterThan(0);

      const [c, d] = await connectPair(bed);
      keepTable(bed, c, first, 1);
      await writeWhole(c, Uint8Array.of(8));
      await announced(bed, c, 1);
      expect([...await readCount(d, 1)]).toEqual([8]);
      await consumed(bed, d, 1);
      expect(blockOf(bed, d).tornFrames).toBeGreaterThan(0);
      expect(blockOf(bed, d).requests).toBeGreaterThan(0);
    });

    test("that never landed is written again, on each volume of three", async () => {
      const bed = await memoryBed({ asynchronous, volumeCount: 3 });
      const [a, b] = await connectPair(bed);
      for (const index of [0, 1, 2]) {
        let lost = 0;
        const start = slotStart(bed, a, 0);
        medium(bed, index).losesWrite = (offset) => offset >= start && lost++ === 1;
      }
      const bytes = random.bytes(64 * 1024 * 20);
      const [got] = await Promise.all([readCount(b, bytes.length), writeWhole(a, bytes)]);
      expect([got.length, crc32(got)]).toEqual([bytes.length, crc32(bytes)]);
    });

    test("that was lost is served while its writer waits in close", async () => {
      const bed = await memoryBed({ asynchronous });
      const [a, b] = await connectPair(bed);
      const start = slotStart(bed, a, 0);
      let lost = 0;
      medium(bed).losesWrite = (offset) => offset >= start && lost++ === 0;
      const bytes = random.bytes(70_000);
      const reading = readCount(b, bytes.length + 1);
      await writeWhole(a, bytes);
      await a.close();
      expect(await reading).toEqual(bytes);
    });

    test("that stays damaged ends the connection, naming volume and slot", async () => {
      const timing = { ...SHORT, deadMs: 20_000, quarantineMs: 20_000 };
      const bed = await memoryBed({ asynchronous, timing });
      const [a, b] = await connectPair(bed);
      const start = slotStart(bed, a, 0);
      medium(bed).losesWrite = (offset) => offset === start;
      await writeWhole(a, random.bytes(SLOTTED));
      const reset = await failure(b.read(new Uint8Array(SLOTTED)));
      expect(reset.code).toBe("reset");
      expect(reset.message).toContain(`frame 0 on volume "v0" slot 0 stayed unreadable (torn)`);
      expect((await failure(a.read(new Uint8Array(1)))).message).toContain("stayed unreadable");
      // Asked after 20, 60, 140 and 300 ms.
      const { requests } = blockOf(bed, b);
      expect(requests).toBeGreaterThanOrEqual(1);
      expect(requests).toBeLessThanOrEqual(4);
      expect(blockOf(bed, b).badFrames).toBeGreaterThan(1);
    });
  });
}

describe("a frame", () => {
  test("that is torn is read again until it is whole, and not asked for at once", async () => {
    const bed = await memoryBed();
    const [a, b] = await connectPair(bed);
    const bytes = random.bytes(64 * 1024);
    await writeWhole(a, bytes);
    const slot = slotOf(bed, a, 0);
    const whole = slot.slice();
    slot.fill(0, 30_000);
    let reads = 0;
    const start = slot.byteOffset;
    medium(bed).onRead = (offset) => {
      if (offset === start && ++reads === 8) slot.set(whole);
    };
    expect(await readCount(b, bytes.length)).toEqual(bytes);
    expect(reads).toBe(8);
    expect(blockOf(bed, b).requests).toBe(0);
  });
});

/** Resolves when the block on the medium announces `frames`. */
async function announced(bed: MemoryBed, conn: StpConn, frames: number): Promise<void> {
  while (blockOf(bed, conn).producedFrames < frames) await clock.yield();
}

/** Resolves when the block on the medium says that `frames` were taken. */
async function consumed(bed: MemoryBed, conn: StpConn, frames: number): Promise<void> {
  while (blockOf(bed, conn).consumedFrames < frames) await clock.yield();
}
