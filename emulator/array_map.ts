// What of each device is in cache, write pending and damaged, over its cylinders: the data of a
// picture. Cylinders are put together in bins, so that a device of 1 TiB has no more than others.
//
// Looks without the lock: figures of an array in use are those of slightly different moments.

import type { Files } from "../transport/runtime/files.ts";
import { TRACK_ENTRY_BYTES } from "./board_layout.ts";
import type { ArrayGeometry, DeviceGeometry } from "./geometry.ts";
import { CYLINDERS_PER_BAND, MAP_BINS, TRACKS_PER_CYLINDER } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";

/** Tracks of the cylinders of one bin; bins without any are left out. */
export interface MapBin {
  readonly bin: number;
  readonly inCache: number;
  readonly writePending: number;
  readonly damaged: number;
}

export interface DeviceMap {
  readonly name: string;
  readonly cylinders: number;
  readonly cylindersPerBin: number;
  readonly tracksPerCylinder: number;
  /** In the order of their numbers. */
  readonly bins: readonly MapBin[];
}

type Counts = { inCache: number; writePending: number; damaged: number };

/** Looks at what is set in the index, from its upper levels down. */
export function mapArray(
  files: Files,
  { geometry, boards }: {
    readonly geometry: ArrayGeometry;
    readonly boards: readonly MemoryBoard[];
  },
): DeviceMap[] {
  const { devices } = geometry;
  const maps = devices.map(() => new Map<number, Counts>());
  const perBin = devices.map(({ cylinders }) => Math.ceil(cylinders / MAP_BINS));
  const add = (cylinder: number, counts: Counts) => {
    const device = deviceOf(devices, cylinder);
    const bin = Math.floor((cylinder - device.firstCylinder) / (perBin[device.index] ?? 1));
    const map = maps[device.index];
    const before = map?.get(bin) ?? { inCache: 0, writePending: 0, damaged: 0 };
    map?.set(bin, {
      inCache: before.inCache + counts.inCache,
      writePending: before.writePending + counts.writePending,
      damaged: before.damaged + counts.damaged,
    });
  };
  for (const board of boards) {
    visitCylinders(board, add);
    if (devices.some(({ index }) => board.cache.index.deviceCounts(index).damaged > 0)) {
      visitDamaged(files, board, add);
    }
  }
  return devices.map(({ name, cylinders, index }) => ({
    name,
    cylinders,
    cylindersPerBin: perBin[index] ?? 1,
    tracksPerCylinder: TRACKS_PER_CYLINDER,
    bins: [...maps[index] ?? []].sort(([a], [b]) => a - b).map(([bin, of]) => ({ bin, ...of })),
  }));
}

function visitCylinders(
  { cache, layout }: MemoryBoard,
  add: (cylinder: number, counts: Counts) => void,
): void {
  for (let band = 0; band < layout.bands; band++) {
    if (cache.index.bandCounts(band).inCache === 0) continue;
    const first = band * CYLINDERS_PER_BAND;
    const end = Math.min(first + CYLINDERS_PER_BAND, layout.cylinders);
    for (let local = first; local < end; local++) {
      const { inCache, writePending } = cache.index.cylinderBits(local);
      if (inCache === 0) continue;
      const counts = { inCache: bits(inCache), writePending: bits(writePending), damaged: 0 };
      add(local * layout.boards + layout.board, counts);
    }
  }
}

/** Damaged tracks have no level above them: the table is looked at where its file has data. */
function visitDamaged(
  files: Files,
  { cache, layout, descriptor }: MemoryBoard,
  add: (cylinder: number, counts: Counts) => void,
): void {
  const end = layout.tracksOffset + layout.tracks * TRACK_ENTRY_BYTES;
  for (let at = layout.tracksOffset; at < end;) {
    const data = files.seek(descriptor, at, "data");
    if (data === null || data >= end) return;
    const hole = Math.min(end, Math.max(data + 1, files.seek(descriptor, data, "hole") ?? end));
    const last = Math.ceil((hole - layout.tracksOffset) / TRACK_ENTRY_BYTES);
    let track = Math.max(0, Math.floor((data - layout.tracksOffset) / TRACK_ENTRY_BYTES));
    for (; track < last; track++) {
      if (cache.index.damaged(track) === 0) continue;
      const local = Math.floor(track / TRACKS_PER_CYLINDER);
      add(local * layout.boards + layout.board, { inCache: 0, writePending: 0, damaged: 1 });
    }
    at = hole;
  }
}

function deviceOf(devices: readonly DeviceGeometry[], cylinder: number): DeviceGeometry {
  const found = devices.find((device) => cylinder < device.firstCylinder + device.cylinders);
  if (found === undefined) throw new RangeError(`cylinder ${cylinder} lies on no device`);
  return found;
}

function bits(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
