// Makes a board whole whose last holder died, or failed, in the middle of a change.
//
// The slot headers are the truth; index, counts and free list are cleared and built again from
// them. Runs under the board's lock with the intent word set, and may itself be killed at any
// instruction: the next holder starts it over.

import { SLOT, STATE } from "./board_layout.ts";
import type { BoardWords } from "./board_words.ts";
import { ALL_RECORDS, type Cache } from "./cache.ts";

/** Rebuilds everything that is derived from the slot headers. */
export function repairBoard(words: BoardWords, cache: Cache): void {
  cache.index.finishDamaged();
  cache.index.clear();
  words.setState(STATE.freeHead, 0);
  words.setState(STATE.freeCount, 0);
  words.setState(STATE.inUse, 0);
  words.setState(STATE.hand, 0);
  for (let slot = words.layout.slots - 1; slot >= 0; slot--) repairSlot(words, cache, slot);
  cache.restoreMarks();
  words.addState(STATE.repairs, 1);
}

function repairSlot(words: BoardWords, cache: Cache, slot: number): void {
  const header = cache.headerOffset(slot);
  const version = words.load(header + SLOT.version);
  // The copy that made it odd never ended; the host that waited for it is gone.
  if (version % 2 === 1) words.store(header + SLOT.version, version + 1);
  const track = cache.trackOf(slot);
  const device = cache.deviceOf(slot);
  const inCache = cache.inCache(slot);
  const pending = cache.pending(slot) & inCache;
  const known = track >= 0 && track < words.layout.tracks && device < words.layout.devices;
  if (!known || inCache === 0 || isTaken(cache, slot, track, device)) {
    words.add(header + SLOT.generation, 1);
    cache.empty(slot);
    cache.pushFree(slot);
    return;
  }
  words.store(header + SLOT.records, inCache | (pending << 16));
  cache.seal(slot);
  // A record that is in cache was rewritten; its host died before it could say so.
  cache.index.setDamaged(track, device, cache.index.damaged(track) & ~inCache);
  cache.index.enter(track, device, slot);
  words.addState(STATE.inUse, 1);
  if (pending !== 0) cache.index.markPending(track, device);
}

/** Two headers that claim one track: never by a kill, only by damage. What is lost is marked. */
function isTaken(cache: Cache, slot: number, track: number, device: number): boolean {
  if (cache.index.slotOf(track) < 0) return false;
  const lost = cache.pending(slot) & ALL_RECORDS;
  if (lost !== 0) cache.index.setDamaged(track, device, cache.index.damaged(track) | lost);
  return true;
}
