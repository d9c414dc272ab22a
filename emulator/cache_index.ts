// The cache index directory (Fig. 2, 26) of one memory board: tables for devices, bands of
// cylinders, cylinders and tracks. The record level stands in the slot header (cache.ts), because
// a track has records in cache only while it has a slot.
//
// Invariants (outside of a hold of the board's lock):
//  1. A track's entry names a slot, and that slot's header names the track; or both say none.
//  2. A cylinder's bit is set exactly when the track is in cache, or write pending.
//  3. Band and device entries count those bits.
//  4. Entering writes the upper levels first, leaving the lower ones: at every instant whatever is
//     set below a count is below a count that is not zero, so that repair finds it from above.

import { assert } from "../transport/ground/assert.ts";
import {
  BAND_ENTRY_BYTES,
  type BoardLayout,
  CYLINDER_ENTRY_BYTES,
  DEVICE_DAMAGED,
  DEVICE_ENTRY_BYTES,
  STATE,
  TRACK_DAMAGED,
  TRACK_ENTRY_BYTES,
} from "./board_layout.ts";
import type { BoardWords } from "./board_words.ts";
import { CYLINDERS_PER_BAND, TRACKS_PER_CYLINDER } from "./limits.ts";

/** Fields of a device's and (the first two) of a band's entry: counts of tracks. */
const IN_CACHE = 0;
const PENDING = 4;
/** Shift of the write-pending half of a cylinder's word. */
const PENDING_SHIFT = 16;

/** Counts of one device on one board. */
export interface DeviceCounts {
  readonly inCache: number;
  readonly writePending: number;
  readonly damaged: number;
}

export class CacheIndex {
  readonly #words: BoardWords;
  readonly #layout: BoardLayout;

  constructor(words: BoardWords) {
    this.#words = words;
    this.#layout = words.layout;
  }

  /** The slot that holds `track`, or -1. May be called without the lock; then validate. */
  slotOf(track: number): number {
    const entry = this.#words.load(this.#trackEntry(track));
    return entry > this.#layout.slots ? -1 : entry - 1;
  }

  /** What the cylinder says of `track`; outside of a change the same as that it has a slot. */
  isInCache(track: number): boolean {
    const { inCache } = this.cylinderBits(Math.floor(track / TRACKS_PER_CYLINDER));
    return (inCache & (1 << (track % TRACKS_PER_CYLINDER))) !== 0;
  }

  /** Records `track` of `device` as being in cache, in `slot`. */
  enter(track: number, device: number, slot: number): void {
    this.#addCounts(track, device, IN_CACHE, 1);
    this.#setBit(track, 0, true);
    this.#words.store(this.#trackEntry(track), slot + 1);
  }

  /** The opposite of `enter`; the track must not be write pending. */
  leave(track: number, device: number): void {
    this.#words.store(this.#trackEntry(track), 0);
    this.#setBit(track, 0, false);
    this.#addCounts(track, device, IN_CACHE, -1);
  }

  markPending(track: number, device: number): void {
    this.#words.addState(STATE.writePending, 1);
    this.#addCounts(track, device, PENDING, 1);
    this.#setBit(track, PENDING_SHIFT, true);
  }

  clearPending(track: number, device: number): void {
    this.#setBit(track, PENDING_SHIFT, false);
    this.#addCounts(track, device, PENDING, -1);
    this.#words.addState(STATE.writePending, -1);
  }

  /** Bitmap of records of `track` whose content was lost; they read as errors until rewritten. */
  damaged(track: number): number {
    return this.#words.load(this.#trackEntry(track) + TRACK_DAMAGED);
  }

  /** Bitmap and count change together, also when the process is killed in between (repair). */
  setDamaged(track: number, device: number, records: number): void {
    const words = this.#words;
    const delta = (records === 0 ? 0 : 1) - (this.damaged(track) === 0 ? 0 : 1);
    if (delta === 0) return words.store(this.#trackEntry(track) + TRACK_DAMAGED, records);
    words.setState(STATE.damageDevice, device);
    words.setState(STATE.damageRecords, records);
    words.setState(STATE.damageCount, this.deviceCounts(device).damaged + delta);
    words.setState(STATE.damageTrack, track + 1);
    this.finishDamaged();
  }

  /** Completes a change of damaged records that was begun, if there is one. */
  finishDamaged(): void {
    const words = this.#words;
    const track = words.state(STATE.damageTrack) - 1;
    const device = words.state(STATE.damageDevice);
    if (track >= 0 && track < this.#layout.tracks && device < this.#layout.devices) {
      const records = words.state(STATE.damageRecords);
      words.store(this.#trackEntry(track) + TRACK_DAMAGED, records);
      words.store(this.#deviceEntry(device) + DEVICE_DAMAGED, words.state(STATE.damageCount));
    }
    words.setState(STATE.damageTrack, 0);
  }

  /** The first write-pending track at or after `from`, or -1: looks at counts before tracks. */
  nextPending(from: number): number {
    let cylinder = Math.floor(from / TRACKS_PER_CYLINDER);
    let within = from % TRACKS_PER_CYLINDER;
    while (cylinder < this.#layout.cylinders) {
      const band = Math.floor(cylinder / CYLINDERS_PER_BAND);
      if (this.#words.load(this.#bandEntry(band) + PENDING) === 0) {
        cylinder = (band + 1) * CYLINDERS_PER_BAND;
        within = 0;
        continue;
      }
      const bits = this.#words.load(this.#cylinderEntry(cylinder)) >>> (PENDING_SHIFT + within);
      if (bits !== 0) {
        const lowest = 31 - Math.clz32(bits & -bits);
        return cylinder * TRACKS_PER_CYLINDER + within + lowest;
      }
      cylinder++;
      within = 0;
    }
    return -1;
  }

  /** Counts of a device; without the lock they may be those of a moment in between. */
  deviceCounts(device: number): DeviceCounts {
    const at = this.#deviceEntry(device);
    return {
      inCache: this.#words.load(at + IN_CACHE),
      writePending: this.#words.load(at + PENDING),
      damaged: this.#words.load(at + DEVICE_DAMAGED),
    };
  }

  /** Counts of a band, and the two bitmaps of a cylinder, for check and status. */
  bandCounts(band: number): { readonly inCache: number; readonly writePending: number } {
    const at = this.#bandEntry(band);
    return {
      inCache: this.#words.load(at + IN_CACHE),
      writePending: this.#words.load(at + PENDING),
    };
  }

  cylinderBits(cylinder: number): { readonly inCache: number; readonly writePending: number } {
    const word = this.#words.load(this.#cylinderEntry(cylinder));
    return { inCache: word & 0xffff, writePending: word >>> PENDING_SHIFT };
  }

  /** Empties all levels but the damaged bitmaps and their counts, from the bottom up (repair). */
  clear(): void {
    for (let band = 0; band < this.#layout.bands; band++) {
      const at = this.#bandEntry(band);
      if (this.#words.load(at) === 0 && this.#words.load(at + PENDING) === 0) continue;
      const first = band * CYLINDERS_PER_BAND;
      const end = Math.min(first + CYLINDERS_PER_BAND, this.#layout.cylinders);
      for (let cylinder = first; cylinder < end; cylinder++) this.#clearCylinder(cylinder);
      this.#words.store(at + IN_CACHE, 0);
      this.#words.store(at + PENDING, 0);
    }
    for (let device = 0; device < this.#layout.devices; device++) {
      this.#words.store(this.#deviceEntry(device) + IN_CACHE, 0);
      this.#words.store(this.#deviceEntry(device) + PENDING, 0);
    }
    this.#words.setState(STATE.writePending, 0);
  }

  #clearCylinder(cylinder: number): void {
    const at = this.#cylinderEntry(cylinder);
    if (this.#words.load(at) === 0) return;
    for (let within = 0; within < TRACKS_PER_CYLINDER; within++) {
      this.#words.store(this.#trackEntry(cylinder * TRACKS_PER_CYLINDER + within), 0);
    }
    this.#words.store(at, 0);
  }

  #addCounts(track: number, device: number, field: number, delta: number): void {
    const band = Math.floor(track / (TRACKS_PER_CYLINDER * CYLINDERS_PER_BAND));
    this.#words.add(this.#deviceEntry(device) + field, delta);
    this.#words.add(this.#bandEntry(band) + field, delta);
  }

  #setBit(track: number, shift: number, on: boolean): void {
    const at = this.#cylinderEntry(Math.floor(track / TRACKS_PER_CYLINDER));
    const bit = 1 << (track % TRACKS_PER_CYLINDER + shift);
    const word = this.#words.load(at);
    this.#words.store(at, on ? word | bit : word & ~bit);
  }

  #deviceEntry(device: number): number {
    assert(device >= 0 && device < this.#layout.devices, "device lies in its table");
    return this.#layout.devicesOffset + device * DEVICE_ENTRY_BYTES;
  }

  #bandEntry(band: number): number {
    return this.#layout.bandsOffset + band * BAND_ENTRY_BYTES;
  }

  #cylinderEntry(cylinder: number): number {
    return this.#layout.cylindersOffset + cylinder * CYLINDER_ENTRY_BYTES;
  }

  #trackEntry(track: number): number {
    assert(track >= 0 && track < this.#layout.tracks, "track lies in its table");
    return this.#layout.tracksOffset + track * TRACK_ENTRY_BYTES;
  }
}
