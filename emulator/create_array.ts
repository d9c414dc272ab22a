// Creates an array directory: device files, memory boards, and array.json last, which makes it one.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  onArrayFiles,
  removeIfThere,
  writeWhole,
} from "./array_directory.ts";
import { boardLayout } from "./board_layout.ts";
import { encodeDeviceLabel } from "./device_label.ts";
import { type ArrayGeometry, makeGeometry } from "./geometry.ts";
import { encodeGeometry } from "./geometry_file.ts";
import { removeHostTable } from "./host_table.ts";
import { DEFAULT_BOARDS, DEFAULT_CACHE_BYTES, MEMORY_SLACK_BYTES, TRACK_BYTES } from "./limits.ts";
import { makeBoards } from "./system_bus.ts";
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
 * Creates an array in `directory`, which must be missing or empty.
 * @throws AgentError `usage` (limits, not empty) | `busy` (an array is there)
 *   | `no_space` | `failed`
 */
export function createArray(
  directory: string,
  options: CreateArrayOptions,
  parts: Pick<ArrayParts, "files" | "random">,
): ArrayGeometry {
  const { files, random } = parts;
  const place = new ArrayDirectory(directory);
  const uuid = makeUuid(random.bytes(16));
  const geometry = planArray(files, options, uuid);
  for (let board = 0; board < geometry.boards; board++) boardLayout(geometry, board);
  onArrayFiles(place.path, () => {
    const made = takeDirectory(files, place);
    try {
      for (const device of geometry.devices) makeDevice(files, place, geometry, device.index);
      const boards = range(geometry.boards);
      makeBoards(files, { directory: place, geometry }, { boards, origin: "created" });
      writeWhole(files, place.geometryPath, encodeGeometry(geometry));
      syncDirectory(files, place.path);
    } catch (error) {
      removeParts(files, place, geometry);
      if (made) removeIfThere(files, place.path, { directory: true });
      throw error;
    }
  });
  return geometry;
}

/** Removes whatever of boards and device files is there (creation that failed, and removal). */
export function removeParts(files: Files, place: ArrayDirectory, geometry: ArrayGeometry): void {
  for (const board of range(geometry.boards)) {
    removeIfThere(files, place.boardPath(geometry, board));
    removeIfThere(files, `${place.boardPath(geometry, board)}.new`);
  }
  removeHostTable(files, place.memoryPath(geometry));
  removeEmpty(files, place.memoryPath(geometry));
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

/** Makes the directory, or checks that it is empty. @returns true when it was made */
function takeDirectory(files: Files, place: ArrayDirectory): boolean {
  try {
    files.makeDirectory(AT_CWD, place.path, 0o700);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "EEXIST") throw error;
  }
  const descriptor = files.open(AT_CWD, place.path, { access: "read", directory: true });
  try {
    const names = files.list(descriptor).map((entry) => new TextDecoder().decode(entry.name));
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
  return false;
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

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
