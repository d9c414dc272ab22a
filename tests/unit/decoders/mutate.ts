// What accidents and attackers do to bytes: a few random changes of a good input, or no good input
// at all. Pure: the same random numbers make the same bytes.

import type { SeededRandom } from "../../simulation/seeded_random.ts";

/** Numbers at which lengths, counts and offsets go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export function mutate(seed: Uint8Array, random: SeededRandom): Uint8Array {
  const below = (count: number) => Math.floor(random.next() * count);
  if (below(20) === 0) return random.bytes(below(2 * seed.length + 64));
  let bytes: Uint8Array = seed.slice();
  for (let changes = 1 + below(4); changes > 0; changes--) bytes = change(bytes, random, below);
  return bytes;
}

function change(
  bytes: Uint8Array,
  random: SeededRandom,
  below: (count: number) => number,
): Uint8Array {
  const at = below(bytes.length + 1);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (below(7)) {
    case 0: // One bit.
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
      return bytes;
    case 1: // One number.
      if (at + 4 <= bytes.length) view.setUint32(at, EDGES[below(EDGES.length)] ?? 0, true);
      return bytes;
    case 2: // One byte.
      if (at < bytes.length) bytes[at] = EDGES[below(5)] ?? 0;
      return bytes;
    case 3: // The end is missing.
      return head.slice();
    case 4: // Something between.
      return joined(head, random.bytes(1 + below(16)), tail);
    case 5: // A piece is missing.
      return joined(head, tail.subarray(below(16)));
    default: // A piece comes twice.
      return joined(head, tail.subarray(0, below(64)), tail);
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
