// Mends a memory board that was damaged (`array repair`), as far as what is left says what was.
//
// Sealed slot headers are the truth about what is in cache, the durable marks about what is not on
// the devices. A header that is not sound is given up: what was clean is on its device; what was
// marked pending on this board and is in no other slot is lost, and reads as an error from then on.
// Runs under the board's lock; what was lost is written first, so that a mending that is killed
// can be run again.

import type { Files } from "../transport/runtime/files.ts";
import { isPlace } from "./board_check.ts";
import { forEachDamaged, forEachWord } from "./board_extents.ts";
import type { LostTrack } from "./board_file.ts";
import {
  DEVICE_DAMAGED,
  DEVICE_ENTRY_BYTES,
  POWER_OFF,
  SLOT,
  SLOT_HEADER_BYTES,
  STATE,
  STATE_WORDS,
  TRACK_DAMAGED,
  TRACK_ENTRY_BYTES,
} from "./board_layout.ts";
import { repairBoard } from "./board_repair.ts";
import { ALL_RECORDS } from "./cache.ts";
import { type ArrayGeometry, deviceOfTrack } from "./geometry.ts";
import { damagedByDevice } from "./index_check.ts";
import { RECORD_BYTES } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";

/** @returns what was lost, with what was lost before */
export function mendBoard(
  files: Files,
  board: MemoryBoard,
  geometry: ArrayGeometry,
): readonly LostTrack[] {
  const { layout } = board;
  const unsound = unsoundSlots(board, geometry);
  const lost = lostRecords(files, board, { geometry, unsound });
  writeDamaged(files, board, lost);
  for (const slot of unsound) {
    board.words.add(board.cache.headerOffset(slot) + SLOT.generation, 1);
    board.cache.empty(slot);
  }
  wipeState(board);
  wipeHeaderRests(board);
  wipeTables(files, board);
  for (const [device, count] of countByDevice(lost)) {
    board.words.store(layout.devicesOffset + device * DEVICE_ENTRY_BYTES + DEVICE_DAMAGED, count);
  }
  repairBoard(board.words, board.cache);
  return lost;
}

/** Slots whose header cannot be believed. */
function unsoundSlots(board: MemoryBoard, geometry: ArrayGeometry): ReadonlySet<number> {
  const { cache, layout } = board;
  const unsound = new Set<number>();
  const tracks = new Set<number>();
  for (let slot = 0; slot < layout.slots; slot++) {
    const track = cache.trackOf(slot);
    const pending = cache.pending(slot);
    const known = track < 0 || isPlace(layout, geometry, { track, device: cache.deviceOf(slot) });
    const subset = (pending & ~cache.inCache(slot)) === 0;
    if (!cache.isSealed(slot) || !known || !subset || tracks.has(track)) unsound.add(slot);
    else if (track >= 0) tracks.add(track);
  }
  return unsound;
}

/**
 * What counts as lost. Marks and damaged bitmaps say the same unless one of them was damaged; then
 * the counts of the devices, and whether a header was lost, say which.
 */
function lostRecords(
  files: Files,
  board: MemoryBoard,
  { geometry, unsound }: {
    readonly geometry: ArrayGeometry;
    readonly unsound: ReadonlySet<number>;
  },
): readonly LostTrack[] {
  const { cache, layout } = board;
  const slots = new Map<number, number>();
  for (let slot = 0; slot < layout.slots; slot++) {
    if (!unsound.has(slot) && cache.trackOf(slot) >= 0) slots.set(cache.trackOf(slot), slot);
  }
  const damaged = new Map<number, number>();
  forEachDamaged(files, board, (track, records) => damaged.set(track, records));
  const marked = new Map<number, number>();
  cache.forEachMark((track, records) => marked.set(track, records));
  const counts = damagedByDevice(board, geometry, damaged);
  const lost: LostTrack[] = [];
  for (const track of new Set([...damaged.keys(), ...marked.keys()])) {
    const device = deviceOfTrack(geometry, { board: layout.board, track }).index;
    const slot = slots.get(track);
    const inCache = slot === undefined ? 0 : cache.inCache(slot);
    const counted = counts[device] === cache.index.deviceCounts(device).damaged;
    const bitmap = (damaged.get(track) ?? 0) & ALL_RECORDS;
    const mark = marked.get(track) ?? 0;
    const byMark = unsound.size > 0 || !counted || bitmap !== 0 ? mark : 0;
    const records = ((bitmap & mark) | byMark | (counted ? bitmap : 0)) & ~inCache;
    if (records !== 0) lost.push({ track, device, records });
  }
  return lost;
}

function wipeState({ words }: MemoryBoard): void {
  for (let at = 0; at < RECORD_BYTES; at += 4) {
    if (!STATE_WORDS.has(at) && words.state(at) !== 0) words.setState(at, 0);
  }
  words.setState(STATE.damageTrack, 0);
  // Not switched off, or nobody could have taken the lock: a word that was hit.
  if (words.state(STATE.power) !== POWER_OFF) words.setState(STATE.power, 0);
}

/** A mark of a track staged ahead goes too: it only counts. */
function wipeHeaderRests({ cache, layout, words }: MemoryBoard): void {
  for (let slot = 0; slot < layout.slots; slot++) {
    const header = cache.headerOffset(slot);
    for (let at = SLOT.ahead; at < SLOT_HEADER_BYTES; at += 4) {
      if (words.load(header + at) !== 0) words.store(header + at, 0);
    }
  }
}

/** The damaged bitmaps; their counts come last, for they are wiped with the rest. */
function writeDamaged(files: Files, board: MemoryBoard, lost: readonly LostTrack[]): void {
  const { layout, words } = board;
  const store = (track: number, records: number) => {
    words.store(layout.tracksOffset + track * TRACK_ENTRY_BYTES + TRACK_DAMAGED, records);
  };
  for (const { track, records } of lost) store(track, records);
  const tracks = new Set(lost.map(({ track }) => track));
  forEachDamaged(files, board, (track) => {
    if (!tracks.has(track)) store(track, 0);
  });
}

function countByDevice(lost: readonly LostTrack[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { device } of lost) counts.set(device, (counts.get(device) ?? 0) + 1);
  return counts;
}

/** All index tables and what lies between them, but for the damaged bitmaps. */
function wipeTables(files: Files, board: MemoryBoard): void {
  const { devicesOffset, slotHeadersOffset, slotsOffset, slots, tracks, tracksOffset } =
    board.layout;
  const wipe = (from: number, end: number) => {
    forEachWord(files, board, { from, end }, (offset) => board.words.store(offset, 0));
  };
  const tracksEnd = tracksOffset + tracks * TRACK_ENTRY_BYTES;
  wipe(devicesOffset, tracksOffset);
  forEachWord(files, board, { from: tracksOffset, end: tracksEnd }, (offset) => {
    const within = (offset - tracksOffset) % TRACK_ENTRY_BYTES;
    if (within !== TRACK_DAMAGED) board.words.store(offset, 0);
  });
  wipe(tracksEnd, slotHeadersOffset);
  wipe(slotHeadersOffset + slots * SLOT_HEADER_BYTES, slotsOffset);
}
