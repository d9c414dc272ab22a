// Creates an array directory: device files, memory boards, and array.json last, which makes it one.
// Two creations in one directory exclude each other by setup.lock.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  exists,
  onArrayFiles,
  readWhole,
  removeIfThere,
  writeWhole,
} from "./array_directory.ts";
import { boardLayout } from "./board_layout.ts";
import { encodeDeviceLabel } from "./device_label.ts";
import { type ArrayGeometry, makeGeometry } from "./geometry.ts";
import { FileLock } from "./file_lock.ts";
import { decodeGeometry, encodeGeometry } from "./geometry_file.ts";
import { removeHostTable } from "./host_table.ts";
import {
  DEFAULT_BOARDS,
  DEFAULT_CACHE_BYTES,
  MAX_GEOMETRY_FILE_BYTES,
  MEMORY_SLACK_BYTES,
  TRACK_BYTES,
} from "./limits.ts";
import { makePendingMap } from "./pending_marks.ts";
import { boardNumbers, makeBoards } from "./system_bus.ts";
import { makeUuid } from "./uuid.ts";

/** f_type of tmpfs. */
const TMPFS_TYPE = 0x01021994;
const TMPFS_PATH = "/dev/shm";
const OWN_MEMORY = "memory";

export interface CreateArrayOptions {
  readonly volumes: number;
  /** Bytes of each volume, rounded up to whole cylinders (1 MiB). */
  readonly volumeBytes: number;
  readonly boards?: number | undefined;
  /** Bytes of all cache slots together, rounded up to whole slots on each board. */
  readonly cacheBytes?: number | undefined;
  /** Directory of the boards, absolute or relative to the array; default: on tmpfs if it fits. */
  readonly memory?: string | undefined;
}

/**
 * Creates an array in `directory`, which must be missing, empty, or hold what a creation left that
 * was killed.
 * @throws AgentError `usage` (limits, not empty) | `busy` (an array is there, or is being made)
 *   | `no_space` | `failed`
 */
export function createArray(
  directory: string,
  options: CreateArrayOptions,
  parts: Pick<ArrayParts, "files" | "random" | "clock">,
): ArrayGeometry {
  const { files, random } = parts;
  const place = new ArrayDirectory(directory);
  const uuid = makeUuid(random.bytes(16));
  const geometry = planArray(files, options, uuid);
  for (let board = 0; board < geometry.boards; board++) boardLayout(geometry, board);
  onArrayFiles(place.path, () => {
    const made = takeDirectory(files, place);
    const lock = lockDirectory(place, parts);
    try {
      clearKilledCreation(files, place);
      refuseContent(files, place);
      tryMakeParts(files, place, geometry, made);
    } finally {
      lock.close();
    }
  });
  return geometry;
}

/** Nothing is left of a creation that fails. */
function tryMakeParts(
  files: Files,
  place: ArrayDirectory,
  geometry: ArrayGeometry,
  made: boolean,
): void {
  try {
    makeParts(files, place, geometry);
  } catch (error) {
    removeIfThere(files, place.geometryPath);
    removeParts(files, place, geometry);
    removeIfThere(files, place.newGeometryPath);
    removeIfThere(files, place.setupLockPath);
    if (made) removeEmpty(files, place.path);
    throw error;
  }
}

/**
 * The geometry is there first, as array.json.new: whoever comes after a creation that was killed
 * knows by it what to remove, memory boards outside of the directory included.
 */
function makeParts(files: Files, place: ArrayDirectory, geometry: ArrayGeometry): void {
  writeWhole(files, place.newGeometryPath, encodeGeometry(geometry));
  syncDirectory(files, place.path);
  for (const device of geometry.devices) makeDevice(files, place, geometry, device.index);
  makePendingMap(files, place.pendingPath, geometry);
  const boards = boardNumbers(geometry);
  makeBoards(files, { directory: place, geometry }, { boards, origin: "created" });
  files.rename(AT_CWD, place.newGeometryPath, AT_CWD, place.geometryPath);
  syncDirectory(files, place.path);
}

/** Under setup.lock nobody is making an array here: what is half made was left. */
function clearKilledCreation(files: Files, place: ArrayDirectory): void {
  if (exists(files, place.geometryPath)) return;
  const path = place.newGeometryPath;
  removeIfThere(files, `${path}.new`);
  if (!exists(files, path)) return;
  const bytes = readWhole(files, path, MAX_GEOMETRY_FILE_BYTES + 1);
  removeParts(files, place, decodeGeometry(bytes, path));
  removeIfThere(files, path);
}

/** Removes whatever of boards and device files is there (creation that failed, and removal). */
export function removeParts(files: Files, place: ArrayDirectory, geometry: ArrayGeometry): void {
  for (const board of boardNumbers(geometry)) {
    removeIfThere(files, place.boardPath(geometry, board));
    removeIfThere(files, `${place.boardPath(geometry, board)}.new`);
  }
  removeHostTable(files, place.memoryPath(geometry));
  removeEmpty(files, place.memoryPath(geometry));
  removeIfThere(files, place.pendingPath);
  removeIfThere(files, `${place.pendingPath}.new`);
  for (const device of geometry.devices) removeIfThere(files, place.devicePath(device));
}

/** Removes a directory if it is there and nothing of others is in it. */
export function removeEmpty(files: Files, path: string): void {
  try {
    removeIfThere(files, path, { directory: true });
  } catch (error) {
    const kept = error instanceof SystemError &&
      (error.errno === "ENOTEMPTY" || error.errno === "EEXIST" || error.errno === "EBUSY");
    if (!kept) throw error;
  }
}

function planArray(files: Files, options: CreateArrayOptions, uuid: string): ArrayGeometry {
  const boards = options.boards ?? DEFAULT_BOARDS;
  const cacheBytes = options.cacheBytes ?? DEFAULT_CACHE_BYTES;
  const slotsPerBoard = Math.ceil(cacheBytes / TRACK_BYTES / Math.max(1, boards));
  const memory = options.memory ?? chooseMemory(files, cacheBytes, uuid);
  const count = Number.isSafeInteger(options.volumes) && options.volumes > 0 &&
      options.volumes < 2 ** 16
    ? options.volumes
    : 0;
  const deviceBytes = Array.from({ length: count }, () => options.volumeBytes);
  return makeGeometry({ uuid, deviceBytes, boards, slotsPerBoard, memory });
}

function chooseMemory(files: Files, cacheBytes: number, uuid: string): string {
  try {
    const { type, freeBytes } = files.fileSystem(TMPFS_PATH);
    const fits = freeBytes >= cacheBytes + cacheBytes / 4 + MEMORY_SLACK_BYTES;
    if (type === TMPFS_TYPE && fits) return `${TMPFS_PATH}/agent-array-${uuid}`;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
  return OWN_MEMORY;
}

/** Makes the directory, or sees that nothing of others is in it. @returns true when it was made */
function takeDirectory(files: Files, place: ArrayDirectory): boolean {
  try {
    files.makeDirectory(AT_CWD, place.path, 0o700);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "EEXIST") throw error;
  }
  // Before anything is put there. What a killed creation left is looked at under the lock.
  const killed = [place.newGeometryPath, `${place.newGeometryPath}.new`];
  if (!killed.some((path) => exists(files, path))) refuseContent(files, place);
  return false;
}

/** @throws AgentError `busy` while another process makes an array there */
function lockDirectory(
  place: ArrayDirectory,
  parts: Pick<ArrayParts, "files" | "clock">,
): FileLock {
  const lock = new FileLock(place.setupLockPath, parts);
  if (lock.tryTake("exclusive") && lock.isCurrent()) return lock;
  lock.close();
  throw new AgentError(
    "busy",
    `Cannot create array "${place.path}": another process sets one up there, need it alone`,
    { hint: "Use that array, or name another directory." },
  );
}

function refuseContent(files: Files, place: ArrayDirectory): void {
  const descriptor = files.open(AT_CWD, place.path, { access: "read", directory: true });
  try {
    const names = files.list(descriptor).map((entry) => new TextDecoder().decode(entry.name))
      .filter((name) => name !== "setup.lock");
    if (names.includes("array.json")) {
      throw new AgentError(
        "busy",
        `Cannot create array "${place.path}": an array is there, need an empty directory`,
        { hint: "Use that array, or remove it first." },
      );
    }
    if (names.length > 0) {
      throw new AgentError(
        "usage",
        `Cannot create array "${place.path}": ${names.length} entries there, such as ` +
          `"${names[0]}", need an empty directory`,
        { hint: "Name a new directory." },
      );
    }
  } finally {
    files.close(descriptor);
  }
}

function makeDevice(
  files: Files,
  place: ArrayDirectory,
  geometry: ArrayGeometry,
  index: number,
): void {
  const device = geometry.devices[index];
  if (device === undefined) return;
  const flags = { access: "write", create: true, exclusive: true, mode: 0o600 } as const;
  const descriptor = files.open(AT_CWD, place.devicePath(device), flags);
  try {
    const label = { uuid: geometry.uuid, index, sizeBytes: device.sizeBytes };
    files.writeAllAt(descriptor, device.sizeBytes, encodeDeviceLabel(label));
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

function syncDirectory(files: Files, path: string): void {
  const descriptor = files.open(AT_CWD, path, { access: "read", directory: true });
  try {
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}
