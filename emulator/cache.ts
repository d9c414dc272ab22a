// The cache (Fig. 2, 24) of one memory board: slots of one track, their headers, the free list.
//
// A slot header is the truth about its slot: which track, which records are in cache and which are
// write pending. The index tables can be rebuilt from the headers (board_repair.ts).
//
// Invariants (under the lock unless said otherwise):
//  1. `generation` changes before a slot loses its track and before it gets one, and data of
//     another track are only copied in between: a reader without the lock that sees the same
//     generation and track before and after its copy has read that track.
//  2. A record is marked in cache after its data were copied; a record that is in cache already is
//     marked write pending before its new data are copied. So a writer killed in the middle leaves
//     a mix of old and new that cannot turn back into old alone.
//  3. Write pending is a subset of in cache, and what was lost is not in cache.
//  4. Outside of a hold each header has its seal.

import type { BoardWords } from "./board_words.ts";
import { SLOT, SLOT_HEADER_BYTES, STATE } from "./board_layout.ts";
import { CacheIndex } from "./cache_index.ts";
import type { TrackMarks } from "./pending_marks.ts";
import { slotSeal } from "./slot_seal.ts";
import { EVICTION_SAMPLE_SLOTS, READ_TRIES, RECORD_BYTES, TRACK_BYTES } from "./limits.ts";

/** All records of a track. */
export const ALL_RECORDS = 0xffff;
const PENDING_SHIFT = 16;

/** How a read without the lock went. */
export type CacheRead = "hit" | "ahead" | "miss";

export class Cache {
  readonly index: CacheIndex;
  readonly #words: BoardWords;
  readonly #marks: TrackMarks;
  readonly #headers: number;
  readonly #slots: number;

  constructor(words: BoardWords, marks: TrackMarks) {
    this.#words = words;
    this.#marks = marks;
    this.index = new CacheIndex(words);
    this.#headers = words.layout.slotHeadersOffset;
    this.#slots = words.layout.slots;
  }

  inCache(slot: number): number {
    return this.#get(slot, SLOT.records) & ALL_RECORDS;
  }

  pending(slot: number): number {
    return this.#get(slot, SLOT.records) >>> PENDING_SHIFT;
  }

  /** The track in `slot`, or -1. */
  trackOf(slot: number): number {
    return this.#get(slot, SLOT.track) - 1;
  }

  deviceOf(slot: number): number {
    return this.#get(slot, SLOT.device);
  }

  /** Epochs since a pending slot was last written, and since it became pending. */
  pendingAge(slot: number): { readonly idle: number; readonly total: number } {
    const epoch = this.#words.state(STATE.epoch);
    return {
      idle: (epoch - this.#get(slot, SLOT.lastWrite)) >>> 0,
      total: (epoch - this.#get(slot, SLOT.pendingSince)) >>> 0,
    };
  }

  /** Notes a use of `slot`; without the lock too, since a lost update only costs accuracy. */
  touch(slot: number): void {
    const at = this.#headers + slot * SLOT_HEADER_BYTES + SLOT.lastUse;
    const tick = this.#words.state(STATE.tick);
    if (this.#words.load(at) !== tick) this.#words.store(at, tick);
  }

  /** Says that `slot` was staged ahead of its reader. */
  markAhead(slot: number): void {
    this.#words.store(this.#headers + slot * SLOT_HEADER_BYTES + SLOT.ahead, 1);
  }

  /**
   * Notes that a track staged ahead is used, or given up; without the lock too, since a lost update
   * only costs accuracy. @returns true when `slot` was staged ahead and not used yet
   */
  takeAhead(slot: number): boolean {
    const at = this.#headers + slot * SLOT_HEADER_BYTES + SLOT.ahead;
    if (this.#words.load(at) === 0) return false;
    this.#words.store(at, 0);
    return true;
  }

  /**
   * Reads bytes of a track without the lock, if its records are in cache.
   * Reads of one record are repeated while a writer copies; longer ones may return a mix of old
   * and new, as the volume contract allows.
   * @param records bitmap of the records that the range touches
   * @returns "miss" when the caller must take the lock, "ahead" for the first use of a track that
   *   was staged ahead
   */
  tryRead(track: number, records: number, withinBytes: number, into: Uint8Array): CacheRead {
    const words = this.#words;
    for (let attempt = 0; attempt < READ_TRIES; attempt++) {
      const slot = this.index.slotOf(track);
      if (slot < 0) return "miss";
      const header = this.#headers + slot * SLOT_HEADER_BYTES;
      const generation = words.load(header + SLOT.generation);
      if (words.load(header + SLOT.track) !== track + 1) continue;
      if ((words.load(header + SLOT.records) & records) !== records) return "miss";
      const version = words.load(header + SLOT.version);
      words.memory.read(this.dataOffset(slot) + withinBytes, into);
      if (words.load(header + SLOT.generation) !== generation) continue;
      if (into.length <= RECORD_BYTES && attempt + 1 < READ_TRIES) {
        if (version % 2 === 1 || words.load(header + SLOT.version) !== version) continue;
      }
      this.touch(slot);
      return this.takeAhead(slot) ? "ahead" : "hit";
    }
    return "miss";
  }

  read(slot: number, withinBytes: number, into: Uint8Array): void {
    this.#words.memory.read(this.dataOffset(slot) + withinBytes, into);
    this.touch(slot);
  }

  /**
   * Copies host data in and marks the records write pending; they count as lost no more.
   * @throws AgentError `no_space` | `volume` when they cannot be marked durably; nothing changed
   */
  write(slot: number, records: number, withinBytes: number, from: Uint8Array): void {
    const header = this.#headers + slot * SLOT_HEADER_BYTES;
    const before = this.#words.load(header + SLOT.records);
    const pending = before >>> PENDING_SHIFT;
    const track = this.trackOf(slot);
    if ((records & ~pending) !== 0) {
      this.#marks.set(track, pending | records | this.index.damaged(track));
    }
    const epoch = this.#words.state(STATE.epoch);
    this.#words.store(header + SLOT.lastWrite, epoch);
    if (pending === 0) {
      this.#words.store(header + SLOT.pendingSince, epoch);
      this.index.markPending(track, this.deviceOf(slot));
    }
    const early = before | ((before & records) << PENDING_SHIFT);
    if (early >>> 0 !== before) this.#words.store(header + SLOT.records, early);
    this.#copyIn(slot, withinBytes, from);
    const after = (before | records | (records << PENDING_SHIFT)) >>> 0;
    if (after !== before) {
      this.#words.store(header + SLOT.records, after);
      this.seal(slot);
    }
    this.#undamage(slot, track, records);
    this.touch(slot);
  }

  /** Copies staged data of whole records in and marks them in cache. */
  fill(slot: number, records: number, withinBytes: number, from: Uint8Array): void {
    this.#copyIn(slot, withinBytes, from);
    const at = this.#headers + slot * SLOT_HEADER_BYTES + SLOT.records;
    this.#words.store(at, this.#words.load(at) | records);
    this.seal(slot);
    this.touch(slot);
  }

  /** Marks every record of `slot` as being on its device. */
  clean(slot: number): void {
    const at = this.#headers + slot * SLOT_HEADER_BYTES + SLOT.records;
    const track = this.trackOf(slot);
    this.#words.store(at, this.#words.load(at) & ALL_RECORDS);
    this.seal(slot);
    this.index.clearPending(track, this.deviceOf(slot));
    this.#marks.set(track, this.index.damaged(track));
  }

  /** Makes the durable marks agree with slots and damaged records (repair). */
  restoreMarks(): void {
    const marked = new Map<number, number>();
    this.#marks.forEach((track, records) => marked.set(track, records));
    const tracks = new Set(marked.keys());
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.trackOf(slot) >= 0 && this.pending(slot) !== 0) tracks.add(this.trackOf(slot));
    }
    for (const track of tracks) {
      const wanted = this.marksOf(track);
      if (marked.get(track) !== wanted) this.#marks.set(track, wanted);
    }
  }

  /** The records of `track` that are not on its device. */
  marksOf(track: number): number {
    const slot = this.index.slotOf(track);
    return (slot < 0 ? 0 : this.pending(slot)) | this.index.damaged(track);
  }

  /** Forgets that records of `track` were lost: their old content counts again. */
  acceptLoss(track: number, device: number): void {
    this.index.setDamaged(track, device, 0);
    this.#marks.set(track, this.marksOf(track));
  }

  /** Calls `visit` for every track with records that are not on its device. */
  forEachMark(visit: (track: number, records: number) => void): void {
    this.#marks.forEach(visit);
  }

  /** Gives a free slot to `track`; -1 when none is free. */
  assign(track: number, device: number): number {
    const slot = this.#words.state(STATE.freeHead) - 1;
    if (slot < 0) return -1;
    const header = this.#headers + slot * SLOT_HEADER_BYTES;
    this.#words.setState(STATE.freeHead, this.#words.load(header + SLOT.nextFree));
    this.#words.addState(STATE.freeCount, -1);
    this.#words.addState(STATE.inUse, 1);
    this.#words.add(header + SLOT.generation, 1);
    this.#words.store(header + SLOT.records, 0);
    this.#words.store(header + SLOT.device, device);
    this.#words.store(header + SLOT.ahead, 0);
    this.#words.store(header + SLOT.track, track + 1);
    this.seal(slot);
    this.index.enter(track, device, slot);
    return slot;
  }

  /** Takes a clean slot from its track and puts it on the free list. */
  release(slot: number): void {
    const header = this.#headers + slot * SLOT_HEADER_BYTES;
    const track = this.trackOf(slot);
    this.#words.add(header + SLOT.generation, 1);
    this.index.leave(track, this.deviceOf(slot));
    this.empty(slot);
    this.pushFree(slot);
    this.#words.addState(STATE.inUse, -1);
  }

  /** Makes the header of `slot` say free; index, counts and free list are the caller's. */
  empty(slot: number): void {
    const header = this.#headers + slot * SLOT_HEADER_BYTES;
    this.#words.store(header + SLOT.track, 0);
    this.#words.store(header + SLOT.records, 0);
    this.seal(slot);
  }

  /** Seals the header of `slot` as it is now; at the latest at the end of a hold. */
  seal(slot: number): void {
    this.#words.store(this.headerOffset(slot) + SLOT.seal, this.#sealOf(slot));
  }

  /** False when the header was damaged, or its last change was cut off. */
  isSealed(slot: number): boolean {
    return this.#get(slot, SLOT.seal) === this.#sealOf(slot);
  }

  /** Puts a slot whose header says free on the free list. */
  pushFree(slot: number): void {
    const header = this.#headers + slot * SLOT_HEADER_BYTES;
    this.#words.store(header + SLOT.nextFree, this.#words.state(STATE.freeHead));
    this.#words.setState(STATE.freeHead, slot + 1);
    this.#words.addState(STATE.freeCount, 1);
  }

  /**
   * The slot to give up next: among a sample from the hand on, the clean one used longest ago, or
   * when none is clean the pending one used longest ago. Call it when no slot is free.
   */
  victim(): number {
    const tick = this.#words.state(STATE.tick);
    const hand = this.#words.state(STATE.hand) % this.#slots;
    const sample = Math.min(EVICTION_SAMPLE_SLOTS, this.#slots);
    let best = -1;
    let bestAge = -1;
    for (let step = 0; step < sample; step++) {
      const slot = (hand + step) % this.#slots;
      if (this.trackOf(slot) < 0) continue;
      const age = (tick - this.#get(slot, SLOT.lastUse)) >>> 0;
      // Clean slots come before pending ones whatever their age: giving them up costs no I/O.
      const rank = this.pending(slot) === 0 ? age + 2 ** 32 : age;
      if (rank > bestAge) {
        best = slot;
        bestAge = rank;
      }
    }
    this.#words.setState(STATE.hand, (hand + sample) % this.#slots);
    return best;
  }

  /** Holds of the lock since `slot` was used last. */
  idleHolds(slot: number): number {
    return (this.#words.state(STATE.tick) - this.#get(slot, SLOT.lastUse)) >>> 0;
  }

  /** Offset of a slot's data on the board. */
  dataOffset(slot: number): number {
    return this.#words.layout.slotsOffset + slot * TRACK_BYTES;
  }

  /** Offset of a slot's header on the board. */
  headerOffset(slot: number): number {
    return this.#headers + slot * SLOT_HEADER_BYTES;
  }

  #get(slot: number, field: number): number {
    return this.#words.load(this.#headers + slot * SLOT_HEADER_BYTES + field);
  }

  #sealOf(slot: number): number {
    const track = this.#get(slot, SLOT.track);
    return slotSeal(track, this.#get(slot, SLOT.records), this.#get(slot, SLOT.device));
  }

  #undamage(slot: number, track: number, records: number): void {
    const damaged = this.index.damaged(track);
    if (damaged !== 0) this.index.setDamaged(track, this.deviceOf(slot), damaged & ~records);
  }

  #copyIn(slot: number, withinBytes: number, from: Uint8Array): void {
    const at = this.#headers + slot * SLOT_HEADER_BYTES + SLOT.version;
    const version = this.#words.load(at) | 1;
    this.#words.store(at, version);
    this.#words.memory.write(this.dataOffset(slot) + withinBytes, from);
    this.#words.store(at, version + 1);
  }
}
