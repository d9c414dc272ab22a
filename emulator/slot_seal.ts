// The seal of a slot header: a word that tells a header that was damaged from one that was changed
// in order. Pure.
//
// Invariants: a change of any one of the three words changes the seal, since multiplying by an odd
// number keeps 32 bits apart. A free slot has a seal too, so that a header of zeros has none.

/** Odd, without a pattern; one per word. */
const TRACK_FACTOR = 0x9e3779b1;
const RECORDS_FACTOR = 0x85ebca6b;
const DEVICE_FACTOR = 0xc2b2ae35;
const SALT = 0x27d4eb2f;

/** @param track as it stands in the header: the number + 1, or 0 */
export function slotSeal(track: number, records: number, device: number): number {
  const mixed = Math.imul(track, TRACK_FACTOR) ^ Math.imul(records, RECORDS_FACTOR) ^
    Math.imul(device, DEVICE_FACTOR);
  return (mixed ^ SALT) >>> 0;
}
