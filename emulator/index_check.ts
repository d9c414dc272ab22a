// Compares the index tables of a board with what its slot headers and damaged bitmaps call for.

import type { Files } from "../transport/runtime/files.ts";
import { forEachWord } from "./board_extents.ts";
import {
  BAND_ENTRY_BYTES,
  CYLINDER_ENTRY_BYTES,
  DEVICE_ENTRY_BYTES,
  SLOT_HEADER_BYTES,
  TRACK_ENTRY_BYTES,
} from "./board_layout.ts";
import type { Expected, Report } from "./board_check.ts";
import { ALL_RECORDS } from "./cache.ts";
import { type ArrayGeometry, deviceOfTrack } from "./geometry.ts";
import type { MemoryBoard } from "./memory_board.ts";

/** Reports every entry, at every level, that is not as it must be. */
export function checkIndex(
  files: Files,
  board: MemoryBoard,
  expected: Expected,
  report: Report,
): void {
  const geometry = expected.geometry;
  const damaged = checkTracks(files, board, expected, report);
  checkCylinders(files, board, expected, report);
  checkBands(board, expected, report);
  checkDevices(board, expected, damagedByDevice(board, geometry, damaged), report);
  checkMarks(board, damaged, report);
}

/** @returns the damaged bitmaps, by track */
function checkTracks(
  files: Files,
  board: MemoryBoard,
  expected: Expected,
  report: Report,
): ReadonlyMap<number, number> {
  const { cache, layout } = board;
  const { tracksOffset: from } = layout;
  const end = from + layout.tracks * TRACK_ENTRY_BYTES;
  const damaged = new Map<number, number>();
  for (const [track, slot] of expected.slotByTrack) {
    compare(report, `slot of track ${track}`, cache.index.slotOf(track), slot);
  }
  forEachWord(files, board, { from, end }, (offset, value) => {
    const track = Math.floor((offset - from) / TRACK_ENTRY_BYTES);
    const slot = expected.slotByTrack.get(track);
    if ((offset - from) % TRACK_ENTRY_BYTES === 0) {
      if (slot === undefined) report(`track ${track} names slot ${value - 1}, need none`);
      return;
    }
    damaged.set(track, value);
    const inCache = slot === undefined ? 0 : cache.inCache(slot);
    if ((value & ~ALL_RECORDS) !== 0) {
      report(`track ${track} has lost records ${value}, need at most ${ALL_RECORDS}`);
    } else if ((value & inCache) !== 0) {
      report(`track ${track} has lost records ${value} in cache, need them in one state`);
    }
  });
  return damaged;
}

function checkCylinders(
  files: Files,
  board: MemoryBoard,
  expected: Expected,
  report: Report,
): void {
  const { cylindersOffset: from, cylinders } = board.layout;
  for (const [cylinder, bits] of expected.cylinders) {
    const { inCache, writePending } = board.cache.index.cylinderBits(cylinder);
    const found = (inCache | (writePending << 16)) >>> 0;
    compare(report, `bits of cylinder ${cylinder}`, found, bits);
  }
  const end = from + cylinders * CYLINDER_ENTRY_BYTES;
  forEachWord(files, board, { from, end }, (offset, value) => {
    const cylinder = (offset - from) / CYLINDER_ENTRY_BYTES;
    if (!expected.cylinders.has(cylinder)) {
      report(`bits of cylinder ${cylinder} is ${value}, need 0`);
    }
  });
}

function checkBands(board: MemoryBoard, expected: Expected, report: Report): void {
  for (let band = 0; band < board.layout.bands; band++) {
    const { inCache, writePending } = board.cache.index.bandCounts(band);
    compare(report, `cached tracks of band ${band}`, inCache, expected.inCacheByBand[band]);
    compare(report, `pending tracks of band ${band}`, writePending, expected.pendingByBand[band]);
  }
}

function checkDevices(
  board: MemoryBoard,
  expected: Expected,
  damaged: readonly number[],
  report: Report,
): void {
  const { devices, devicesOffset } = board.layout;
  for (let device = 0; device < devices; device++) {
    const found = board.cache.index.deviceCounts(device);
    const name = `of device ${device}`;
    compare(report, `cached tracks ${name}`, found.inCache, expected.inCacheByDevice[device]);
    compare(report, `pending tracks ${name}`, found.writePending, expected.pendingByDevice[device]);
    compare(report, `tracks with lost records ${name}`, found.damaged, damaged[device]);
    const rest = board.words.load(devicesOffset + (device + 1) * DEVICE_ENTRY_BYTES - 4);
    compare(report, `last word of the entry ${name}`, rest, 0);
  }
}

export function damagedByDevice(
  board: MemoryBoard,
  geometry: ArrayGeometry,
  damaged: ReadonlyMap<number, number>,
): number[] {
  const counts = new Array<number>(board.layout.devices).fill(0);
  for (const track of damaged.keys()) {
    const { index } = deviceOfTrack(geometry, { board: board.layout.board, track });
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

/** The durable marks are the pending and the lost records, exactly. */
function checkMarks(
  board: MemoryBoard,
  damaged: ReadonlyMap<number, number>,
  report: Report,
): void {
  const { cache, layout } = board;
  const unmarked = new Set(damaged.keys());
  for (let slot = 0; slot < layout.slots; slot++) {
    if (cache.pending(slot) !== 0 && cache.trackOf(slot) < layout.tracks) {
      unmarked.add(cache.trackOf(slot));
    }
  }
  cache.forEachMark((track, records) => {
    unmarked.delete(track);
    compare(report, `pending map of track ${track}`, records, cache.marksOf(track));
  });
  for (const track of unmarked) {
    if (track < 0) continue;
    compare(report, `pending map of track ${track}`, 0, cache.marksOf(track));
  }
}

/** Between and behind the tables there is nothing but zeros. */
export function checkPadding(files: Files, board: MemoryBoard, report: Report): void {
  for (const range of paddingOf(board)) {
    forEachWord(files, board, range, (offset, value) => {
      report(`word ${value} at ${offset} between the tables, need 0`);
    });
  }
}

function paddingOf(
  { layout }: MemoryBoard,
): readonly { readonly from: number; readonly end: number }[] {
  const { devicesOffset, bandsOffset, cylindersOffset, tracksOffset } = layout;
  return [
    { from: devicesOffset + layout.devices * DEVICE_ENTRY_BYTES, end: bandsOffset },
    { from: bandsOffset + layout.bands * BAND_ENTRY_BYTES, end: cylindersOffset },
    { from: cylindersOffset + layout.cylinders * CYLINDER_ENTRY_BYTES, end: tracksOffset },
    { from: tracksOffset + layout.tracks * TRACK_ENTRY_BYTES, end: layout.slotHeadersOffset },
    {
      from: layout.slotHeadersOffset + layout.slots * SLOT_HEADER_BYTES,
      end: layout.slotsOffset,
    },
  ];
}

export function compare(
  report: Report,
  what: string,
  found: number,
  wanted: number | undefined,
): void {
  if (found !== wanted) report(`${what} is ${found}, need ${wanted}`);
}
