// Lost records as places on the volumes: runs of bytes, in order. Pure.

import type { LostTrack } from "./board_file.ts";
import { type ArrayGeometry, trackOffset } from "./geometry.ts";
import { RECORD_BYTES } from "./limits.ts";
import { forEachRun } from "./record_runs.ts";

/** Records in a row whose last content is gone. */
export interface LostRun {
  /** Name of the device. */
  readonly device: string;
  readonly offsetBytes: number;
  readonly bytes: number;
}

/** @param boards what was lost on each board, by its number */
export function lostRuns(
  geometry: ArrayGeometry,
  boards: ReadonlyMap<number, readonly LostTrack[]>,
): readonly LostRun[] {
  const pieces: { readonly index: number; readonly from: number; readonly bytes: number }[] = [];
  for (const [board, tracks] of boards) {
    for (const { track, device: index, records } of tracks) {
      const device = geometry.devices[index];
      if (device === undefined) continue;
      const offsetBytes = trackOffset(geometry, device, { board, track });
      forEachRun(records, (first, count) => {
        const from = offsetBytes + first * RECORD_BYTES;
        pieces.push({ index, from, bytes: count * RECORD_BYTES });
      });
    }
  }
  pieces.sort((a, b) => a.index - b.index || a.from - b.from);
  const runs: LostRun[] = [];
  for (const { index, from, bytes } of pieces) {
    const device = geometry.devices[index]?.name ?? "";
    const last = runs.at(-1);
    if (last?.device === device && last.offsetBytes + last.bytes === from) {
      runs[runs.length - 1] = { ...last, bytes: last.bytes + bytes };
    } else runs.push({ device, offsetBytes: from, bytes });
  }
  return runs;
}
