// Finds whatever is not consistent on one memory board (`array check`). Reads only.
//
// The caller holds the board's lock. The track table is looked at where its file has data, so that
// the check of an array of terabytes costs what is in use, not what could be.

import { AgentError } from "../transport/ground/error.ts";
import type { Files } from "../transport/runtime/files.ts";
import { SLOT, STATE, TRACK_ENTRY_BYTES } from "./board_layout.ts";
import { CYLINDERS_PER_BAND, TRACKS_PER_CYLINDER } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";

/** Says what was found and what is needed. */
export type Report = (message: string) => void;

/** Expected index content, gathered from the slot headers. */
interface Expected {
  readonly slotByTrack: Map<number, number>;
  readonly inCacheByDevice: number[];
  readonly pendingByDevice: number[];
  readonly inCacheByBand: number[];
  readonly pendingByBand: number[];
  readonly cylinders: Map<number, number>;
  pending: number;
}

/** Reports every inconsistency between slot headers, free list and index tables. */
export function checkBoard(files: Files, board: MemoryBoard, report: Report): void {
  const expected = gather(board, report);
  checkFreeList(board, expected, report);
  checkTracks(files, board, expected, report);
  checkUpperLevels(board, expected, report);
}

function gather(board: MemoryBoard, report: Report): Expected {
  const { cache, layout } = board;
  const expected: Expected = {
    slotByTrack: new Map(),
    inCacheByDevice: new Array<number>(layout.devices).fill(0),
    pendingByDevice: new Array<number>(layout.devices).fill(0),
    inCacheByBand: new Array<number>(layout.bands).fill(0),
    pendingByBand: new Array<number>(layout.bands).fill(0),
    cylinders: new Map(),
    pending: 0,
  };
  for (let slot = 0; slot < layout.slots; slot++) {
    const track = cache.trackOf(slot);
    if (track < 0) continue;
    const device = cache.deviceOf(slot);
    if (track >= layout.tracks || device >= layout.devices) {
      report(`slot ${slot} names track ${track} of device ${device}, need one that exists`);
      continue;
    }
    if (expected.slotByTrack.has(track)) report(`track ${track} is in two slots, need one`);
    checkSlot(board, slot, report);
    expected.slotByTrack.set(track, slot);
    expect(expected, { track, device, pending: cache.pending(slot) !== 0 });
  }
  return expected;
}

function checkSlot(board: MemoryBoard, slot: number, report: Report): void {
  const { cache, words } = board;
  const inCache = cache.inCache(slot);
  const pending = cache.pending(slot);
  if (inCache === 0) report(`slot ${slot} has a track but no records, need some or no track`);
  if ((pending & ~inCache) !== 0) {
    report(
      `slot ${slot} has records ${pending} pending, need them among those in cache ${inCache}`,
    );
  }
  if (words.load(cache.headerOffset(slot) + SLOT.version) % 2 === 1) {
    report(`slot ${slot} has an odd version, need an even one when nobody writes`);
  }
}

function expect(
  expected: Expected,
  found: { readonly track: number; readonly device: number; readonly pending: boolean },
): void {
  const cylinder = Math.floor(found.track / TRACKS_PER_CYLINDER);
  const band = Math.floor(cylinder / CYLINDERS_PER_BAND);
  const bit = 1 << (found.track % TRACKS_PER_CYLINDER);
  const bits = (expected.cylinders.get(cylinder) ?? 0) | bit | (found.pending ? bit << 16 : 0);
  expected.cylinders.set(cylinder, bits >>> 0);
  bump(expected.inCacheByDevice, found.device);
  bump(expected.inCacheByBand, band);
  if (!found.pending) return;
  expected.pending++;
  bump(expected.pendingByDevice, found.device);
  bump(expected.pendingByBand, band);
}

function bump(counts: number[], at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}

function checkFreeList(board: MemoryBoard, expected: Expected, report: Report): void {
  const { cache, layout, words } = board;
  const seen = new Set<number>();
  let next = words.state(STATE.freeHead);
  while (next !== 0) {
    const slot = next - 1;
    if (slot >= layout.slots || seen.has(slot)) {
      report(`the free list leads to slot ${slot} again or beyond, need each free slot once`);
      break;
    }
    if (cache.trackOf(slot) >= 0) report(`slot ${slot} is free and has a track, need one of them`);
    seen.add(slot);
    next = words.load(cache.headerOffset(slot) + SLOT.nextFree);
  }
  compare(report, "slots on the free list", seen.size, layout.slots - expected.slotByTrack.size);
  compare(report, "count of free slots", words.state(STATE.freeCount), seen.size);
  compare(report, "count of used slots", words.state(STATE.inUse), expected.slotByTrack.size);
  compare(report, "count of pending slots", words.state(STATE.writePending), expected.pending);
}

function checkTracks(files: Files, board: MemoryBoard, expected: Expected, report: Report): void {
  const { cache, layout } = board;
  for (const [track, slot] of expected.slotByTrack) {
    compare(report, `slot of track ${track}`, cache.index.slotOf(track), slot);
  }
  const end = layout.tracksOffset + layout.tracks * TRACK_ENTRY_BYTES;
  let at = layout.tracksOffset;
  while (at < end) {
    const data = files.seek(board.descriptor, at, "data");
    if (data === null || data >= end) return;
    const hole = Math.min(end, files.seek(board.descriptor, data, "hole") ?? end);
    if (hole <= data) {
      throw new AgentError("failed", `Cannot check memory board "${board.path}": seek went back`);
    }
    const first = Math.max(0, Math.floor((data - layout.tracksOffset) / TRACK_ENTRY_BYTES));
    const last = Math.ceil((hole - layout.tracksOffset) / TRACK_ENTRY_BYTES);
    for (let track = first; track < last; track++) {
      const slot = cache.index.slotOf(track);
      if (slot >= 0) compare(report, `track of slot ${slot}`, cache.trackOf(slot), track);
    }
    at = hole;
  }
}

function checkUpperLevels(board: MemoryBoard, expected: Expected, report: Report): void {
  const { index } = board.cache;
  const { layout } = board;
  for (let device = 0; device < layout.devices; device++) {
    const found = index.deviceCounts(device);
    const name = `of device ${device}`;
    compare(report, `cached tracks ${name}`, found.inCache, expected.inCacheByDevice[device]);
    compare(report, `pending tracks ${name}`, found.writePending, expected.pendingByDevice[device]);
  }
  for (let band = 0; band < layout.bands; band++) {
    const found = index.bandCounts(band);
    compare(report, `cached tracks of band ${band}`, found.inCache, expected.inCacheByBand[band]);
    const pending = expected.pendingByBand[band];
    compare(report, `pending tracks of band ${band}`, found.writePending, pending);
    if (found.inCache === 0 && expected.inCacheByBand[band] === 0) continue;
    const first = band * CYLINDERS_PER_BAND;
    const end = Math.min(first + CYLINDERS_PER_BAND, layout.cylinders);
    for (let cylinder = first; cylinder < end; cylinder++) {
      const { inCache, writePending } = index.cylinderBits(cylinder);
      const bits = (inCache | (writePending << 16)) >>> 0;
      compare(report, `bits of cylinder ${cylinder}`, bits, expected.cylinders.get(cylinder) ?? 0);
    }
  }
}

function compare(report: Report, what: string, found: number, wanted: number | undefined): void {
  if (found !== wanted) report(`${what} is ${found}, need ${wanted}`);
}
