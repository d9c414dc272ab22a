// Opens the parts of an array in the order that keeps several processes apart.
//
// Under setup.lock: missing boards are made anew, which needs array.lock alone; then array.lock is
// taken shared for as long as the array is open. A holder that dies frees both.

import { assert } from "../transport/ground/assert.ts";
import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files } from "../transport/runtime/files.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  exists,
  onArrayFiles,
  readGeometry,
} from "./array_directory.ts";
import { DiskAdapter } from "./disk_adapter.ts";
import { DiskDirector } from "./disk_director.ts";
import { FaultInjector } from "./fault_injector.ts";
import { FileLock } from "./file_lock.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { ATTACH_WAIT_MS, PROBE_WAIT_MS } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { HostStatistics } from "./statistics.ts";
import { type ArrayPlace, makeBoards, missingBoards, openBoards } from "./system_bus.ts";

/** The open parts of an array; `closeArray` gives them up. */
export interface OpenArray {
  readonly directory: ArrayDirectory;
  readonly geometry: ArrayGeometry;
  readonly boards: readonly MemoryBoard[];
  readonly adapter: DiskAdapter;
  readonly director: DiskDirector;
  readonly faults: FaultInjector;
  /** What this attachment does, on all its boards. */
  readonly statistics: HostStatistics;
  /** array.lock, held shared. */
  readonly lock: FileLock;
}

/**
 * @param options.hostName whom faults see
 * @throws AgentError `not_found` | `damaged` | `mismatch` | `unsupported` | `busy` | `volume`
 *   | `no_space` | `failed` | `usage` (wrong `faults.json`)
 */
export function openArray(
  path: string,
  parts: ArrayParts,
  options: { readonly hostName: string },
): OpenArray {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  const place = { directory, geometry };
  return onArrayFiles(directory.path, () =>
    withSetupLock(directory, parts, () => {
      const adapter = new DiskAdapter(geometry, (device) => directory.devicePath(device), parts);
      const lock = new FileLock(directory.arrayLockPath, parts);
      try {
        powerBoards(parts.files, place, lock);
        if (!lock.take("shared", ATTACH_WAIT_MS)) throw arrayBusy(directory, "being destaged");
        const statistics = new HostStatistics(geometry.devices.length);
        const boards = openBoards(parts, place, processId(parts.files), { statistics });
        const directed = direct(parts, place, { ...options, boards, adapter });
        return { ...place, ...directed, statistics, lock };
      } catch (error) {
        lock.close();
        adapter.close();
        throw error;
      }
    }));
}

/** The disk director, and what may go wrong for it. */
function direct(
  parts: ArrayParts,
  place: { readonly directory: ArrayDirectory; readonly geometry: ArrayGeometry },
  options: {
    readonly hostName: string;
    readonly boards: readonly MemoryBoard[];
    readonly adapter: DiskAdapter;
  },
): Pick<OpenArray, "boards" | "adapter" | "director" | "faults"> {
  const { hostName, boards, adapter } = options;
  try {
    const [first] = boards;
    assert(first !== undefined, "an array has a board");
    const faults = new FaultInjector({ ...place, hostName, words: first.words }, parts);
    return { boards, adapter, faults, director: new DiskDirector(place.geometry, adapter, faults) };
  } catch (error) {
    for (const board of boards) board.close();
    throw error;
  }
}

/** Closes all parts, once; the last one out destages everything, since tmpfs forgets. */
export function closeArray(array: OpenArray): void {
  try {
    // No wait: a status that looks at the lock just now only puts the destage off to the next host.
    if (array.lock.tryTake("exclusive")) {
      array.director.destageAll(array.boards.filter((board) => board.hasPower));
    }
  } finally {
    for (const board of array.boards) board.close();
    array.adapter.close();
    array.faults.close();
    array.lock.close();
  }
}

/**
 * Runs `use` while nobody else sets up the array.
 * @throws AgentError `busy` when somebody did for longer than ATTACH_WAIT_MS
 */
export function withSetupLock<T>(
  directory: ArrayDirectory,
  parts: Pick<ArrayParts, "files" | "clock">,
  use: () => T,
): T {
  const lock = new FileLock(directory.setupLockPath, parts);
  try {
    if (!lock.take("exclusive", ATTACH_WAIT_MS)) throw arrayBusy(directory, "being set up");
    return use();
  } finally {
    lock.close();
  }
}

/** This process's id, as the kernel names it. */
export function processId(files: Files): number {
  const pid = Number(new TextDecoder().decode(files.readLink(AT_CWD, "/proc/self")));
  assert(Number.isSafeInteger(pid) && pid > 0, "/proc/self names a process");
  return pid;
}

/** Makes the boards without power anew; `lock` is array.lock, not taken yet. */
export function powerBoards(files: Files, place: ArrayPlace, lock: FileLock): void {
  const boards = missingBoards(files, place.directory, place.geometry);
  const gone = boards.filter((board) =>
    !exists(files, place.directory.boardPath(place.geometry, board))
  );
  if (boards.length === 0) return;
  if (gone.length > 0 && !lock.take("exclusive", PROBE_WAIT_MS)) {
    throw new AgentError(
      "damaged",
      `Cannot attach to array "${place.directory.path}": the files of ${gone.length} of ` +
        `${place.geometry.boards} memory boards are gone while others are attached, need them`,
      { hint: "Stop the agents that use the array, then start them again." },
    );
  }
  makeBoards(files, place, { boards, origin: "replaced" });
}

export function arrayBusy(directory: ArrayDirectory, found: string): AgentError {
  return new AgentError(
    "busy",
    `Cannot attach to array "${directory.path}": ${found} by another process, need it free`,
    { hint: "Try again when that process has ended." },
  );
}
