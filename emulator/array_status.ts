// The state of an array as a plain value (`array status`): looks, takes no lock for long, changes
// nothing. Figures of an array in use are those of slightly different moments.

import {
  ArrayDirectory,
  type ArrayParts,
  exists,
  onArrayFiles,
  readGeometry,
} from "./array_directory.ts";
import { type DeviceMap, mapArray } from "./array_map.ts";
import { type BoardCounter, STATE } from "./board_layout.ts";
import { DiskAdapter } from "./disk_adapter.ts";
import { FileLock } from "./file_lock.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { readHostTable } from "./host_table.ts";
import { TRACK_BYTES } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { type DeviceFigures, HostStatistics, type HostWaits } from "./statistics.ts";
import { missingBoards, openBoards } from "./system_bus.ts";

/** What hosts did on the device comes with it, of those attached now and of those before them. */
export interface DeviceStatus extends DeviceFigures {
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
  /** Share of the slots that are write pending: above a half, age no longer matters. */
  readonly pendingShare: number;
  readonly repairs: number;
}

/** One attached host, or one that ended and whose row nobody took since. */
export interface HostStatus extends DeviceFigures, HostWaits {
  readonly host: string;
  readonly pid: number;
  readonly attached: boolean;
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
  readonly hosts: readonly HostStatus[];
}

/** An array whose parts are open. */
export interface ArrayPlace {
  readonly directory: ArrayDirectory;
  readonly geometry: ArrayGeometry;
  readonly adapter: DiskAdapter;
  /** Empty while some are missing. */
  readonly boards: readonly MemoryBoard[];
}

/** @throws AgentError `not_found` | `damaged` | `mismatch` | `unsupported` | `volume` | `failed` */
export function arrayStatus(path: string, parts: ArrayParts): ArrayStatus {
  return look(path, parts, (place, missing) => {
    const attached = isAttached(place.directory, parts);
    return describeArray(parts, place, attached, missing);
  });
}

/** What of each device is in cache; nothing while boards are missing. @throws as `arrayStatus` */
export function arrayMap(path: string, parts: ArrayParts): readonly DeviceMap[] {
  return look(path, parts, (place) => mapArray(parts.files, place));
}

function look<T>(
  path: string,
  parts: ArrayParts,
  use: (place: ArrayPlace, missingBoards: readonly number[]) => T,
): T {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  return onArrayFiles(directory.path, () => {
    const missing = missingBoards(parts.files, directory, geometry);
    const boards = missing.length > 0 ? [] : openBoards(parts, { directory, geometry }, 0);
    try {
      const adapter = new DiskAdapter(geometry, (device) => directory.devicePath(device), parts);
      try {
        return use({ directory, geometry, adapter, boards }, missing);
      } finally {
        adapter.close();
      }
    } finally {
      for (const board of boards) board.close();
    }
  });
}

/** The state of an array whose parts are open. @throws SystemError */
export function describeArray(
  parts: ArrayParts,
  place: ArrayPlace,
  attached: boolean,
  missingBoards: readonly number[] = [],
): ArrayStatus {
  const { directory, geometry } = place;
  const memory = directory.memoryPath(geometry);
  const table = readHostTable(parts, memory, geometry.devices.length);
  return {
    type: "array",
    directory: directory.path,
    uuid: geometry.uuid,
    trackBytes: TRACK_BYTES,
    attached,
    memory,
    missingBoards,
    devices: deviceStatuses(place, sumOf(table)),
    boards: place.boards.map(boardStatus),
    hosts: table.rows.map(({ hostName, pid, attached, statistics }) => ({
      host: hostName,
      pid,
      attached,
      ...statistics.total(),
      ...statistics.waits(),
    })),
  };
}

function sumOf(table: ReturnType<typeof readHostTable>): HostStatistics {
  const sum = new HostStatistics(table.former.devices);
  sum.add(table.former);
  for (const { statistics } of table.rows) sum.add(statistics);
  return sum;
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

function deviceStatuses(place: ArrayPlace, statistics: HostStatistics): DeviceStatus[] {
  return place.geometry.devices.map((device) => {
    const counts = place.boards.map((board) => board.cache.index.deviceCounts(device.index));
    return {
      name: device.name,
      sizeBytes: device.sizeBytes,
      allocatedBytes: place.adapter.allocatedBytes(device),
      inCache: counts.reduce((sum, count) => sum + count.inCache, 0),
      writePending: counts.reduce((sum, count) => sum + count.writePending, 0),
      damaged: counts.reduce((sum, count) => sum + count.damaged, 0),
      ...statistics.ofDevice(device.index),
    };
  });
}

function boardStatus({ layout, path, origin, words }: MemoryBoard): BoardStatus {
  const writePending = words.state(STATE.writePending);
  return {
    board: layout.board,
    path,
    replaced: origin === "replaced",
    slots: layout.slots,
    inUse: words.state(STATE.inUse),
    writePending,
    pendingShare: writePending / layout.slots,
    reads: words.counter("reads"),
    writes: words.counter("writes"),
    hits: words.counter("hits"),
    misses: words.counter("misses"),
    stages: words.counter("stages"),
    destages: words.counter("destages"),
    evictions: words.counter("evictions"),
    delayedWrites: words.counter("delayedWrites"),
    prefetches: words.counter("prefetches"),
    prefetchesUsed: words.counter("prefetchesUsed"),
    prefetchesWasted: words.counter("prefetchesWasted"),
    waits: words.counter("waits"),
    waitMicros: words.counter("waitMicros"),
    repairs: words.state(STATE.repairs),
  };
}
