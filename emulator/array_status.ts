// The state of an array as a plain value (`array status`): looks, takes no lock for long, changes
// nothing. Figures of an array in use are those of slightly different moments.

import {
  ArrayDirectory,
  type ArrayParts,
  exists,
  onArrayFiles,
  readGeometry,
} from "./array_directory.ts";
import { BOARD_COUNTERS, type BoardCounter, STATE } from "./board_layout.ts";
import { DiskAdapter } from "./disk_adapter.ts";
import { FileLock } from "./file_lock.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { TRACK_BYTES } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { missingBoards, openBoards } from "./system_bus.ts";

export interface DeviceStatus {
  readonly name: string;
  readonly sizeBytes: number;
  /** What the device file takes on its file system. */
  readonly allocatedBytes: number;
  /** Tracks. */
  readonly inCache: number;
  readonly writePending: number;
  readonly damaged: number;
}

export interface BoardStatus extends Readonly<Record<BoardCounter, number>> {
  readonly board: number;
  readonly path: string;
  /** True when the board replaces one that was lost (power failure). */
  readonly replaced: boolean;
  readonly slots: number;
  readonly inUse: number;
  readonly writePending: number;
  readonly repairs: number;
}

export interface ArrayStatus {
  readonly type: "array";
  readonly directory: string;
  readonly uuid: string;
  readonly trackBytes: number;
  /** True while any host is attached. */
  readonly attached: boolean;
  readonly memory: string;
  /** Boards whose files are gone; the next attachment makes them anew, empty. */
  readonly missingBoards: readonly number[];
  readonly devices: readonly DeviceStatus[];
  /** Empty while boards are missing. */
  readonly boards: readonly BoardStatus[];
}

/** @throws AgentError `not_found` | `damaged` | `mismatch` | `unsupported` | `volume` | `failed` */
export function arrayStatus(path: string, parts: ArrayParts): ArrayStatus {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  return onArrayFiles(directory.path, () => {
    const missing = missingBoards(parts.files, directory, geometry);
    const boards = missing.length > 0 ? [] : openBoards(parts, { directory, geometry }, 0);
    try {
      return {
        type: "array",
        directory: directory.path,
        uuid: geometry.uuid,
        trackBytes: TRACK_BYTES,
        attached: isAttached(directory, parts),
        memory: directory.memoryPath(geometry),
        missingBoards: missing,
        devices: deviceStatuses(parts, { directory, geometry }, boards),
        boards: boards.map(boardStatus),
      };
    } finally {
      for (const board of boards) board.close();
    }
  });
}

function isAttached(directory: ArrayDirectory, parts: ArrayParts): boolean {
  if (!exists(parts.files, directory.arrayLockPath)) return false;
  const lock = new FileLock(directory.arrayLockPath, parts);
  try {
    return !lock.tryTake("exclusive");
  } finally {
    lock.close();
  }
}

function deviceStatuses(
  parts: ArrayParts,
  place: { readonly directory: ArrayDirectory; readonly geometry: ArrayGeometry },
  boards: readonly MemoryBoard[],
): DeviceStatus[] {
  const { directory, geometry } = place;
  const adapter = new DiskAdapter(geometry, (device) => directory.devicePath(device), parts);
  try {
    return geometry.devices.map((device) => {
      const counts = boards.map((board) => board.cache.index.deviceCounts(device.index));
      return {
        name: device.name,
        sizeBytes: device.sizeBytes,
        allocatedBytes: adapter.allocatedBytes(device),
        inCache: counts.reduce((sum, count) => sum + count.inCache, 0),
        writePending: counts.reduce((sum, count) => sum + count.writePending, 0),
        damaged: counts.reduce((sum, count) => sum + count.damaged, 0),
      };
    });
  } finally {
    adapter.close();
  }
}

function boardStatus(board: MemoryBoard): BoardStatus {
  const counters: Record<BoardCounter, number> = {
    reads: 0,
    writes: 0,
    hits: 0,
    misses: 0,
    stages: 0,
    destages: 0,
    evictions: 0,
    waits: 0,
  };
  for (const name of BOARD_COUNTERS) counters[name] = board.words.counter(name);
  return {
    board: board.layout.board,
    path: board.path,
    replaced: board.origin === "replaced",
    slots: board.layout.slots,
    inUse: board.words.state(STATE.inUse),
    writePending: board.words.state(STATE.writePending),
    ...counters,
    repairs: board.words.state(STATE.repairs),
  };
}
