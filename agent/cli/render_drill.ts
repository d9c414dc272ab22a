// What a drill came to, as text for people. Pure.

import { formatSize } from "../config/mod.ts";
import type { Drill, Summary } from "../control/mod.ts";
import { count, type Paint } from "./output.ts";

/** One line with the numbers: what was restored and compared, and what is wrong with it. */
export function drillText(drill: Drill): string {
  const { entries, of, bytes, differences, unproved, undecrypted, seed } = drill;
  const parts = [`${entries} of ${count(of, "entry", "entries")}, ${formatSize(bytes)}`];
  if (differences > 0) parts.push(`${differences} differ`);
  if (undecrypted) parts.push("checksums as stored only: content was not decrypted");
  else if (unproved > 0) {
    parts.push(`${unproved} not wholly proved: this server may not set all of them`);
  }
  if (seed !== null) parts.push(`seed ${seed}`);
  return parts.join(", ");
}

export function drillLines(drill: Summary["drill"], paint: Paint): readonly string[] {
  if (drill === undefined) return [];
  const text = drillText(drill);
  return [`  drilled  ${drill.status === "ok" ? text : paint.red(text)}`];
}
