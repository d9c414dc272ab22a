// Grows an array (`array grow`) while nobody is attached: one device gets larger, new ones come
// behind the last. What the devices hold and what is lost stays as it is.
//
// Cylinders are numbered through all devices and spread over the boards by their number, so the
// cylinders of later devices move: boards and pending map are laid out anew. The order, killed
// before any change of which the array is the old one or the new one:
//
//  1. Everything pending is destaged, durably: the boards then hold nothing that the devices lack.
//  2. `pending.map.new` is written: the marks of lost records at their new places. The old array
//     does not use it; when nothing comes of it, `array repair` removes it.
//  3. `grow.json` gets its name: the growth can no longer be taken back.
//  4. complete_growth.ts does the rest: devices and their labels, map, boards, array.json. When
//     that is interrupted, the next command that uses the array does it again, from its start.
//
// Figures of boards and hosts begin anew, as their tables are made anew.

import { AgentError } from "../transport/ground/error.ts";
import type { Files } from "../transport/runtime/files.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  exists,
  onArrayFiles,
  syncDirectory,
  writeWhole,
} from "./array_directory.ts";
import { completeGrowth } from "./complete_growth.ts";
import type { FileLock } from "./file_lock.ts";
import { type ArrayGeometry, deviceOfTrack, trackOffset } from "./geometry.ts";
import { encodeGeometry } from "./geometry_file.ts";
import { type GrowthOptions, planGrowth } from "./growth_plan.ts";
import { TRACK_BYTES, TRACKS_PER_CYLINDER } from "./limits.ts";
import { closeArray, openSettled, withArrayAlone } from "./open_array.ts";
import { type PendingMark, writePendingMap } from "./pending_marks.ts";
import { type ArrayPlace, boardNumbers, lostTracks } from "./system_bus.ts";

/**
 * @returns the geometry that the array has now
 * @throws AgentError `usage` (nothing to do, smaller, limits) | `not_found` (no array, no such
 *   volume) | `busy` while somebody is attached, or when a file has the name of a new device: then
 *   nothing was changed; as `destageArray` | `no_space` | `failed`
 */
export function growArray(path: string, options: GrowthOptions, parts: ArrayParts): ArrayGeometry {
  const directory = new ArrayDirectory(path);
  const { files } = parts;
  return onArrayFiles(
    directory.path,
    () =>
      withArrayAlone(directory, parts, "grow", (geometry, lock) => {
        const next = planGrowth(geometry, options, directory.path);
        refuseNames(files, directory, next.devices.slice(geometry.devices.length));
        destageAlone(parts, { directory, geometry }, lock);
        const marks = movedMarks(files, { directory, geometry }, next);
        writePendingMap(files, directory.newPendingPath, { geometry: next, marks });
        syncDirectory(files, directory.path);
        writeWhole(files, directory.growthPath, encodeGeometry(next));
        syncDirectory(files, directory.path);
        completeGrowth(files, directory);
        return next;
      }),
  );
}

/** A file of others that has the name of a new device is left alone. */
function refuseNames(
  files: Files,
  directory: ArrayDirectory,
  added: ArrayGeometry["devices"],
): void {
  const taken = added.find((device) => exists(files, directory.devicePath(device)));
  if (taken === undefined) return;
  throw new AgentError(
    "busy",
    `Cannot grow array "${directory.path}": a file "${taken.name}.dev" is there, need that name`,
    { hint: "Move the file away: it belongs to no device of the array." },
  );
}

/** setup.lock keeps everybody else away also after the lock was given up with the open parts. */
function destageAlone(parts: ArrayParts, place: ArrayPlace, lock: FileLock): void {
  const array = openSettled(place, parts, { hostName: "agent", lock });
  try {
    array.director.destageAll(array.boards);
  } finally {
    closeArray(array);
  }
}

/** After everything was destaged the marks are those of lost records alone. */
function movedMarks(files: Files, place: ArrayPlace, next: ArrayGeometry): readonly PendingMark[] {
  const { geometry } = place;
  return boardNumbers(geometry).flatMap((board) =>
    lostTracks(files, place, board).map(({ track, records }) => {
      const device = deviceOfTrack(geometry, { board, track });
      const onDevice = trackOffset(geometry, device, { board, track }) / TRACK_BYTES;
      const first = (next.devices[device.index]?.firstCylinder ?? 0) * TRACKS_PER_CYLINDER;
      return { track: first + onDevice, records };
    })
  );
}
