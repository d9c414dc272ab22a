// Which members of a restore plan a drill takes: a sample that a seed repeats. Pure.
//
// Each entry has the same chance (selection sampling: Knuth, The Art of Computer Programming,
// volume 2, 3.4.2, algorithm S). A further name of a hard link needs the member of the first one,
// so that comes too.

import { MemberChoice } from "./member_choice.ts";
import type { RestorePlan } from "./restore_plan.ts";

/** How many: an exact count of entries, or a share of them. */
export type SampleSize = { readonly entries: number } | { readonly percent: number };

/** Seeds are whole numbers below this. */
export const SEED_LIMIT = 2 ** 32;

/** @param size null takes everything @returns null for everything */
export function sampleMembers(
  plan: RestorePlan,
  size: SampleSize | null,
  seed: number,
): MemberChoice | null {
  const total = plan.files;
  const wanted = size === null
    ? total
    : "entries" in size
    ? size.entries
    : Math.ceil(total * size.percent / 100);
  if (wanted >= total) return null;
  const choice = new MemberChoice();
  const draw = drawFrom(seed);
  // Windows-1252 as the web defines it maps every byte to its own character: a key without loss.
  const decoder = new TextDecoder("latin1");
  const firstNames = new Set<string>();
  let index = 0;
  for (const { entry } of plan.members()) {
    if (draw() * (total - index) < wanted - choice.count) {
      choice.add(index);
      if (entry.type === "hardlink") firstNames.add(decoder.decode(entry.target ?? entry.path));
    }
    index++;
  }
  if (firstNames.size > 0) {
    index = 0;
    for (const { entry } of plan.members()) {
      if (entry.type !== "hardlink" && firstNames.has(decoder.decode(entry.path))) {
        choice.add(index);
      }
      index++;
    }
  }
  return choice;
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function drawFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / SEED_LIMIT;
  };
}
