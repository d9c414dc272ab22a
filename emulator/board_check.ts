// Finds whatever is not consistent on one memory board (`array check`). Reads only.
//
// The caller holds the board's lock. Slot headers, free list and state are looked at here, the
// index tables in index_check.ts. What may have any value: ages, uses, counters, the holder's
// process id, the hand, the generation of a slot, and the next free slot of one that is in use.

import type { Files } from "../transport/runtime/files.ts";
import {
  type BoardLayout,
  POWER_OFF,
  SLOT,
  SLOT_HEADER_BYTES,
  STATE,
  STATE_WORDS,
} from "./board_layout.ts";
import { type ArrayGeometry, deviceOfTrack } from "./geometry.ts";
import { checkIndex, checkPadding, compare } from "./index_check.ts";
import { CYLINDERS_PER_BAND, RECORD_BYTES, TRACKS_PER_CYLINDER } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";

/** Says what was found and what is needed. */
export type Report = (message: string) => void;

/** Expected index content, gathered from the slot headers. */
export interface Expected {
  readonly geometry: ArrayGeometry;
  readonly slotByTrack: Map<number, number>;
  readonly inCacheByDevice: number[];
  readonly pendingByDevice: number[];
  readonly inCacheByBand: number[];
  readonly pendingByBand: number[];
  readonly cylinders: Map<number, number>;
  pending: number;
}

/** Reports every inconsistency between slot headers, free list and index tables. */
export function checkBoard(
  files: Files,
  board: MemoryBoard,
  geometry: ArrayGeometry,
  report: Report,
): void {
  checkState(board, report);
  const expected = gather(board, geometry, report);
  checkFreeList(board, expected, report);
  checkIndex(files, board, expected, report);
  checkPadding(files, board, report);
}

function checkState({ layout, words }: MemoryBoard, report: Report): void {
  for (let at = 0; at < RECORD_BYTES; at += 4) {
    const value = words.state(at);
    const free = STATE_WORDS.has(at) && at !== STATE.power && at !== STATE.damageTrack;
    if (free || value === 0 || (at === STATE.power && value === POWER_OFF)) continue;
    report(`word ${value} at ${layout.stateOffset + at} of the state, need 0`);
  }
}

function gather(board: MemoryBoard, geometry: ArrayGeometry, report: Report): Expected {
  const { cache, layout } = board;
  const expected: Expected = {
    geometry,
    slotByTrack: new Map(),
    inCacheByDevice: new Array<number>(layout.devices).fill(0),
    pendingByDevice: new Array<number>(layout.devices).fill(0),
    inCacheByBand: new Array<number>(layout.bands).fill(0),
    pendingByBand: new Array<number>(layout.bands).fill(0),
    cylinders: new Map(),
    pending: 0,
  };
  for (let slot = 0; slot < layout.slots; slot++) {
    checkHeader(board, slot, report);
    const track = cache.trackOf(slot);
    if (track < 0) continue;
    const device = cache.deviceOf(slot);
    if (!isPlace(layout, geometry, { track, device })) {
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

/** True when the board has such a track, and it is one of that device. */
export function isPlace(
  layout: BoardLayout,
  geometry: ArrayGeometry,
  { track, device }: { readonly track: number; readonly device: number },
): boolean {
  if (track < 0 || track >= layout.tracks) return false;
  return deviceOfTrack(geometry, { board: layout.board, track }).index === device;
}

function checkHeader({ cache, words }: MemoryBoard, slot: number, report: Report): void {
  if (!cache.isSealed(slot)) {
    report(`slot ${slot} has a header that its seal does not fit, need the header as it was`);
  }
  const header = cache.headerOffset(slot);
  const ahead = words.load(header + SLOT.ahead);
  if (ahead > 1) report(`slot ${slot} has ${ahead} for a track staged ahead, need 0 or 1`);
  for (let at = SLOT.ahead + 4; at < SLOT_HEADER_BYTES; at += 4) {
    const value = words.load(header + at);
    if (value !== 0) report(`slot ${slot} has ${value} at ${at} of its header, need 0`);
  }
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
