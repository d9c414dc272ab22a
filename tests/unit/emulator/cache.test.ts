// Cache and index of one board over a plain buffer, against sets.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emptySlotHeaders, emptyState } from "../../../emulator/board_file.ts";
import { boardLayout, SLOT, STATE } from "../../../emulator/board_layout.ts";
import { repairBoard } from "../../../emulator/board_repair.ts";
import { BoardWords } from "../../../emulator/board_words.ts";
import { ALL_RECORDS, Cache } from "../../../emulator/cache.ts";
import { makeGeometry } from "../../../emulator/geometry.ts";
import { CYLINDER_BYTES } from "../../../emulator/limits.ts";
import type { TrackMarks } from "../../../emulator/pending_marks.ts";
import { plainMemory } from "./plain_memory.ts";

/** More than two bands on one board, so that searches cross them. */
const CYLINDERS = 2100;

function makeCache(slots: number): { readonly words: BoardWords; readonly cache: Cache } {
  const layout = boardLayout(
    makeGeometry({
      uuid: "00112233-4455-4677-8899-aabbccddeeff",
      deviceBytes: [CYLINDERS * CYLINDER_BYTES],
      boards: 1,
      slotsPerBoard: slots,
      memory: "m",
    }),
    0,
  );
  const memory = plainMemory(layout.totalBytes);
  memory.write(layout.stateOffset, emptyState(layout));
  memory.write(layout.slotHeadersOffset, emptySlotHeaders(layout));
  const words = new BoardWords(memory, layout);
  return { words, cache: new Cache(words, new PlainMarks()) };
}

/** The durable marks of a test: a map of this process. */
class PlainMarks implements TrackMarks {
  readonly #marks = new Map<number, number>();

  set(track: number, records: number): void {
    if (records === 0) this.#marks.delete(track);
    else this.#marks.set(track, records);
  }

  forEach(visit: (track: number, records: number) => void): void {
    for (const [track, records] of [...this.#marks]) visit(track, records);
  }
}

const record = new Uint8Array(4096).fill(5);
const anyTrack = fc.oneof(
  fc.integer({ min: 0, max: CYLINDERS * 16 - 1 }),
  fc.integer({ min: 0, max: 40 }),
);

describe("CacheIndex", () => {
  test("nextPending() finds exactly the pending tracks, in order, through all bands", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyTrack, { maxLength: 30 }), (tracks) => {
        const { cache, words } = makeCache(32);
        const pending = new Set<number>();
        for (const [at, track] of tracks.entries()) {
          const slot = cache.assign(track, 0);
          if (at % 3 === 0) {
            cache.fill(slot, 1, 0, record);
          } else {
            cache.write(slot, 1, 0, record);
            pending.add(track);
          }
        }
        const found: number[] = [];
        for (let at = cache.index.nextPending(0); at >= 0; at = cache.index.nextPending(at + 1)) {
          found.push(at);
        }
        expect(found).toEqual([...pending].sort((a, b) => a - b));
        expect(words.state(STATE.writePending)).toBe(pending.size);
        const counts = { inCache: tracks.length, writePending: pending.size, damaged: 0 };
        expect(cache.index.deviceCounts(0)).toEqual(counts);
      }),
      { numRuns: 30 },
    );
  });

  test("slotOf() gives none for an entry that leads outside", () => {
    const { cache, words } = makeCache(2);
    words.store(words.layout.tracksOffset, 4_000_000_000);
    expect(cache.index.slotOf(0)).toBe(-1);
  });

  test("setDamaged() counts tracks, not records", () => {
    const { cache } = makeCache(2);
    cache.index.setDamaged(7, 0, 3);
    cache.index.setDamaged(7, 0, 1);
    expect(cache.index.deviceCounts(0).damaged).toBe(1);
    cache.index.setDamaged(7, 0, 0);
    expect(cache.index.deviceCounts(0).damaged).toBe(0);
  });
});

describe("Cache", () => {
  test("tryRead() refuses tracks and records that are not in cache", () => {
    const { cache } = makeCache(2);
    const into = new Uint8Array(4096);
    expect(cache.tryRead(3, 1, 0, into)).toBe("miss");
    cache.write(cache.assign(3, 0), 2, 4096, record);
    expect(cache.tryRead(3, 1, 0, into)).toBe("miss");
    expect(cache.tryRead(3, 2, 4096, into)).toBe("hit");
    expect(into).toEqual(record);
  });

  test("tryRead() gives up on a slot that has another track by now", () => {
    const { cache, words } = makeCache(2);
    const slot = cache.assign(3, 0);
    cache.write(slot, 1, 0, record);
    words.store(cache.headerOffset(slot) + SLOT.track, 9);
    expect(cache.tryRead(3, 1, 0, new Uint8Array(4096))).toBe("miss");
  });

  test("tryRead() still reads when a writer died in its copy", () => {
    const { cache, words } = makeCache(2);
    const slot = cache.assign(3, 0);
    cache.write(slot, 1, 0, record);
    words.add(cache.headerOffset(slot) + SLOT.version, 1);
    expect(cache.tryRead(3, 1, 0, new Uint8Array(4096))).toBe("hit");
  });

  test("assign() gives each slot once and release() gives it back", () => {
    const { cache } = makeCache(3);
    const slots = [cache.assign(1, 0), cache.assign(2, 0), cache.assign(3, 0)];
    expect(new Set(slots).size).toBe(3);
    expect(cache.assign(4, 0)).toBe(-1);
    cache.release(slots[1] ?? -1);
    expect(cache.index.slotOf(2)).toBe(-1);
    expect(cache.assign(4, 0)).toBe(slots[1] ?? -1);
  });

  test("victim() is the clean slot used longest ago, and a pending one only when none is", () => {
    const { cache, words } = makeCache(3);
    const [a, b, c] = [cache.assign(1, 0), cache.assign(2, 0), cache.assign(3, 0)];
    for (const slot of [a, b, c]) {
      words.addState(STATE.tick, 1);
      cache.fill(slot, ALL_RECORDS, 0, new Uint8Array(65536));
    }
    cache.write(a, 1, 0, record);
    expect(cache.victim()).toBe(b);
    words.addState(STATE.tick, 1);
    cache.touch(b);
    expect(cache.victim()).toBe(c);
    cache.write(b, 1, 0, record);
    cache.write(c, 1, 0, record);
    words.addState(STATE.tick, 1);
    cache.touch(a);
    cache.touch(c);
    expect(cache.victim()).toBe(b);
  });
});

describe("repairBoard()", () => {
  test("rebuilds the index from the slot headers, whatever the index says", () => {
    const { cache, words } = makeCache(8);
    for (const track of [1, 17, 20_000]) cache.write(cache.assign(track, 0), 1, 0, record);
    const empty = cache.assign(5, 0);
    words.setState(STATE.freeHead, 3);
    words.setState(STATE.inUse, 77);
    words.add(cache.headerOffset(cache.index.slotOf(1)) + SLOT.version, 1);
    repairBoard(words, cache);
    expect([1, 17, 20_000].map((track) => cache.pending(cache.index.slotOf(track)))).toEqual(
      [1, 1, 1],
    );
    expect(cache.index.slotOf(5)).toBe(-1);
    expect(cache.trackOf(empty)).toBe(-1);
    expect(words.state(STATE.inUse)).toBe(3);
    expect(words.state(STATE.freeCount)).toBe(5);
    expect(cache.index.deviceCounts(0)).toEqual({ inCache: 3, writePending: 3, damaged: 0 });
    expect(words.state(STATE.repairs)).toBe(1);
  });

  test("frees slots that name what does not exist, and marks what a double claim loses", () => {
    const { cache, words } = makeCache(4);
    const [a, b, c] = [cache.assign(1, 0), cache.assign(2, 0), cache.assign(3, 0)];
    for (const slot of [a, b, c]) cache.write(slot, 6, 4096, new Uint8Array(8192));
    words.store(cache.headerOffset(a) + SLOT.track, 3);
    words.store(cache.headerOffset(c) + SLOT.track, 4_000_000);
    repairBoard(words, cache);
    expect(words.state(STATE.inUse)).toBe(1);
    expect(cache.index.damaged(2)).toBe(6);
    expect(cache.index.slotOf(1)).toBe(-1);
  });
});
