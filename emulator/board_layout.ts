// Layout of a memory board's file: where each table stands. Pure.
//
//   page 0          header (board_header.ts), written once
//   page 1          state: the words below, changed under the board's lock
//   device table    16 bytes per device: in cache, write pending, damaged (counts), 0
//   band table       8 bytes per band: tracks in cache, tracks write pending (counts)
//   cylinder table   4 bytes per cylinder: bitmap of tracks in cache (low 16), pending (high 16)
//   track table      8 bytes per track: slot + 1 (0: not in cache), bitmap of damaged records
//   slot headers    64 bytes per slot; they carry the record level: bitmaps in cache and pending
//   slots           TRACK_BYTES each, aligned to TRACK_BYTES
//
// Invariants: every table starts on a page; the tables of a device that was never touched are
// holes in the file; nothing but the slots grows with the cache, nothing but them with the device.

import { AgentError } from "../transport/ground/error.ts";
import { type ArrayGeometry, cylindersOnBoard } from "./geometry.ts";
import {
  CYLINDERS_PER_BAND,
  MAX_BOARD_BYTES,
  RECORD_BYTES,
  TRACK_BYTES,
  TRACKS_PER_CYLINDER,
} from "./limits.ts";

const PAGE_BYTES = RECORD_BYTES;

/** Sizes of the entries, in bytes. */
export const DEVICE_ENTRY_BYTES = 16;
export const BAND_ENTRY_BYTES = 8;
export const CYLINDER_ENTRY_BYTES = 4;
export const TRACK_ENTRY_BYTES = 8;
export const SLOT_HEADER_BYTES = 64;
/** Within a device's entry: tracks with damaged records. Within a track's: their bitmap. */
export const DEVICE_DAMAGED = 8;
export const TRACK_DAMAGED = 4;

/** Words of the state page, as offsets from its start. */
export const STATE = {
  /** 1 while a holder changes the board: who finds it set under the lock repairs first. */
  intent: 0,
  /** Process that took the lock last: named when the board is busy. */
  holder: 4,
  /** Counts holds of the lock: the clock of least recent use. */
  tick: 8,
  /** Counts passes of the disk director: the clock of write-pending age. */
  epoch: 12,
  /** First free slot + 1. */
  freeHead: 16,
  freeCount: 20,
  /** Slots that hold a track. */
  inUse: 24,
  /** Slots with write-pending records. */
  writePending: 28,
  /** Slot at which the next search for one to give up starts. */
  hand: 32,
  repairs: 36,
  /**
   * A change of damaged records that also changes their device's count, while it is made: track + 1
   * (0 when there is none), device, and what bitmap and count are after it.
   */
  damageTrack: 40,
  damageDevice: 44,
  damageRecords: 48,
  damageCount: 52,
  /** POWER_OFF once the board was switched off: it serves nobody any more. */
  power: 60,
  /** The counters, 64 bits each (low word first); see BOARD_COUNTERS. */
  counters: 64,
  /**
   * Checksum of `faults.json` as it was last announced, 0 before; on the first board only. It has
   * a cache line of its own, which all hosts can keep, since all look at it all the time.
   */
  faults: 2048,
} as const;

/** Names of the shared counters in the order of their places; a new one goes to the end. */
export const BOARD_COUNTERS = [
  "reads",
  "writes",
  "hits",
  "misses",
  "stages",
  "destages",
  "evictions",
  "waits",
  "waitMicros",
  "delayedWrites",
  "prefetches",
  "prefetchesUsed",
  "prefetchesWasted",
] as const;
export type BoardCounter = typeof BOARD_COUNTERS[number];

/** Offsets of the words of the state page that are in use. */
export const STATE_WORDS: ReadonlySet<number> = new Set([
  ...Object.values(STATE).filter((offset) => offset !== STATE.counters),
  ...BOARD_COUNTERS.flatMap((_, at) => [STATE.counters + at * 8, STATE.counters + at * 8 + 4]),
]);

/** Odd on purpose, so that a word that was hit by chance is not taken for it. */
export const POWER_OFF = 0x0ff50ff5;

/** Words of a slot header, as offsets from its start. */
export const SLOT = {
  /** Bumped whenever the slot gets or loses a track: a reader that saw it change starts over. */
  generation: 0,
  /** Track on this board + 1; 0 when the slot is free. */
  track: 4,
  /** Records in cache (low 16 bits), write pending (high 16 bits). */
  records: 8,
  /** Odd while data are being copied in. */
  version: 12,
  /** Tick of the last use. */
  lastUse: 16,
  /** Epoch in which the slot became write pending, and of the last write. */
  pendingSince: 20,
  lastWrite: 24,
  device: 28,
  /** Next free slot + 1, in a free slot. */
  nextFree: 32,
  /** Of track, records and device (slot_seal.ts), as they are outside of a hold. */
  seal: 36,
  /** 1 while the track was staged ahead and no host has used it. */
  ahead: 40,
} as const;

export interface BoardLayout {
  readonly board: number;
  readonly boards: number;
  readonly devices: number;
  readonly bands: number;
  readonly cylinders: number;
  readonly tracks: number;
  readonly slots: number;
  readonly stateOffset: number;
  readonly devicesOffset: number;
  readonly bandsOffset: number;
  readonly cylindersOffset: number;
  readonly tracksOffset: number;
  readonly slotHeadersOffset: number;
  readonly slotsOffset: number;
  readonly totalBytes: number;
}

/**
 * Computes the layout of one board.
 * @throws AgentError `usage` when the board's file would be too large to map
 */
export function boardLayout(geometry: ArrayGeometry, board: number): BoardLayout {
  const cylinders = cylindersOnBoard(geometry, board);
  const bands = Math.ceil(cylinders / CYLINDERS_PER_BAND);
  const tracks = cylinders * TRACKS_PER_CYLINDER;
  const slots = geometry.slotsPerBoard;
  const stateOffset = PAGE_BYTES;
  const devicesOffset = 2 * PAGE_BYTES;
  const bandsOffset = roundUp(devicesOffset + geometry.devices.length * DEVICE_ENTRY_BYTES);
  const cylindersOffset = roundUp(bandsOffset + bands * BAND_ENTRY_BYTES);
  const tracksOffset = roundUp(cylindersOffset + cylinders * CYLINDER_ENTRY_BYTES);
  const slotHeadersOffset = roundUp(tracksOffset + tracks * TRACK_ENTRY_BYTES);
  const slotsOffset = roundUp(slotHeadersOffset + slots * SLOT_HEADER_BYTES, TRACK_BYTES);
  const totalBytes = slotsOffset + slots * TRACK_BYTES;
  if (totalBytes > MAX_BOARD_BYTES) {
    throw new AgentError(
      "usage",
      `Cannot lay out memory board "${board}": ${totalBytes} bytes, ` +
        `need at most ${MAX_BOARD_BYTES}`,
      { hint: "Use more boards, a smaller cache or smaller volumes." },
    );
  }
  return {
    board,
    boards: geometry.boards,
    devices: geometry.devices.length,
    bands,
    cylinders,
    tracks,
    slots,
    stateOffset,
    devicesOffset,
    bandsOffset,
    cylindersOffset,
    tracksOffset,
    slotHeadersOffset,
    slotsOffset,
    totalBytes,
  };
}

function roundUp(bytes: number, unit = PAGE_BYTES): number {
  return Math.ceil(bytes / unit) * unit;
}
