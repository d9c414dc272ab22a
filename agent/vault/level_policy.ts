// Whether the next backup of a source is full, or incremental on which parent. Pure.
//
// Incremental for ever, unless a full one is asked for, there is none yet, or the configuration
// wants one every so often.

import type { FullEvery } from "../config/mod.ts";

export interface LevelQuestion<Backup> {
  /** What was asked for. */
  readonly full: boolean;
  readonly fullEvery: FullEvery | null;
  /** The latest backup of the source and those that it builds on, the full one first. */
  readonly chain: readonly (Backup & { readonly time: string })[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** The parent of the next backup; null when it is a full one. */
export function chooseParent<Backup>(question: LevelQuestion<Backup>): Backup | null {
  const { full, fullEvery, chain, nowMs } = question;
  const [first] = chain;
  const last = chain.at(-1);
  if (full || first === undefined || last === undefined) return null;
  if (fullEvery?.kind === "time" && nowMs - Date.parse(first.time) >= fullEvery.ms) return null;
  if (fullEvery?.kind === "count" && chain.length >= fullEvery.count) return null;
  return last;
}
