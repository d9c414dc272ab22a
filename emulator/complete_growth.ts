// Completes the growth of an array from the moment on at which it can no longer be taken back.
//
// That moment is when `grow.json` is there: the geometry that the array is about to have, in the
// format of array.json. It comes after everything pending was destaged durably and after the map of
// lost records for the new geometry stands as `pending.map.new`. From then on the array in its old
// form is not used again: every command that reads array.json looks for grow.json first and
// completes the growth under setup.lock. Nobody is attached meanwhile: growing began with
// array.lock held alone, and whoever attaches completes it first.
//
// Invariant: each step may be repeated, and finds what an earlier, killed attempt left of it. The
// new label stands before the old one becomes data; array.json is replaced by grow.json last.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files } from "../transport/runtime/files.ts";
import {
  type ArrayDirectory,
  exists,
  readGeometry,
  readWhole,
  syncDirectory,
} from "./array_directory.ts";
import { DEVICE_LABEL_BYTES, encodeDeviceLabel } from "./device_label.ts";
import type { ArrayGeometry, DeviceGeometry } from "./geometry.ts";
import { decodeGeometry } from "./geometry_file.ts";
import { isGrowthOf } from "./growth_plan.ts";
import { removeHostTable } from "./host_table.ts";
import { MAX_GEOMETRY_FILE_BYTES } from "./limits.ts";
import { boardNumbers, makeBoards, removeBoards } from "./system_bus.ts";

/**
 * Completes a growth that was begun, if there is one; the caller holds setup.lock.
 * @throws AgentError `damaged` (grow.json is not of this array) | `no_space` | `failed`
 *   | SystemError; the next call goes on where this one ended
 */
export function completeGrowth(files: Files, directory: ArrayDirectory): void {
  if (!exists(files, directory.growthPath)) return;
  const old = readGeometry(files, directory);
  const geometry = readGrowth(files, directory, old);
  for (const device of geometry.devices) {
    growDevice(files, directory, { geometry, device, before: old.devices[device.index] });
  }
  if (exists(files, directory.newPendingPath)) {
    files.rename(AT_CWD, directory.newPendingPath, AT_CWD, directory.pendingPath);
  }
  // Removed first: there need not be room for the old boards and the new ones together.
  removeBoards(files, directory, geometry);
  removeHostTable(files, directory.memoryPath(geometry));
  const boards = boardNumbers(geometry);
  makeBoards(files, { directory, geometry }, { boards, origin: "created" });
  syncDirectory(files, directory.path);
  files.rename(AT_CWD, directory.growthPath, AT_CWD, directory.geometryPath);
  syncDirectory(files, directory.path);
}

function readGrowth(
  files: Files,
  directory: ArrayDirectory,
  old: ArrayGeometry,
): ArrayGeometry {
  const path = directory.growthPath;
  const next = decodeGeometry(readWhole(files, path, MAX_GEOMETRY_FILE_BYTES + 1), path);
  if (isGrowthOf(old, next)) return next;
  throw new AgentError(
    "damaged",
    `Cannot complete the growth of array "${directory.path}": "${path}" is not made from its ` +
      "array.json, need both of one array",
    { hint: "Put the array's own files back; nothing was changed." },
  );
}

/** A device that is new is made; one that is larger gets its label at its new end. */
function growDevice(
  files: Files,
  directory: ArrayDirectory,
  { geometry, device, before }: {
    readonly geometry: ArrayGeometry;
    readonly device: DeviceGeometry;
    readonly before: DeviceGeometry | undefined;
  },
): void {
  const { index, sizeBytes } = device;
  if (before?.sizeBytes === sizeBytes) return;
  const flags = { access: "write", create: before === undefined, mode: 0o600 } as const;
  const descriptor = files.open(AT_CWD, directory.devicePath(device), flags);
  try {
    const label = encodeDeviceLabel({ uuid: geometry.uuid, index, sizeBytes });
    files.writeAllAt(descriptor, sizeBytes, label);
    files.sync(descriptor);
    if (before === undefined) return;
    files.writeAllAt(descriptor, before.sizeBytes, new Uint8Array(DEVICE_LABEL_BYTES));
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}
