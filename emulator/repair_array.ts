// Mends an array (`array repair`) while nobody is attached, and says what was lost.
//
// Memory boards and the pending map are mended, leftovers of killed processes are removed. Device
// files and array.json are never written: nothing here could know their content. A file of another
// array or version is refused and left alone.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files } from "../transport/runtime/files.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  onArrayFiles,
  readGeometry,
  removeIfThere,
} from "./array_directory.ts";
import type { LostTrack } from "./board_file.ts";
import { BOARD_HEADER_BYTES, checkBoardHeader, encodeBoardHeader } from "./board_header.ts";
import { boardLayout } from "./board_layout.ts";
import { mendBoard } from "./board_mend.ts";
import { type ArrayFinding, checkArray } from "./check_array.ts";
import { DiskAdapter } from "./disk_adapter.ts";
import { FileLock } from "./file_lock.ts";
import { leftovers } from "./leftovers.ts";
import { type LostRun, lostRuns } from "./lost_records.ts";
import { PROBE_WAIT_MS } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { processId, withSetupLock } from "./open_array.ts";
import { encodePendingHeader, pendingMapBytes } from "./pending_header.ts";
import { makePendingMap, openPendingMap } from "./pending_marks.ts";
import { type ArrayPlace, makeBoards, missingBoards, openBoards } from "./system_bus.ts";

export interface RepairOptions {
  /** Lost records count as what their devices hold: an older content. */
  readonly acceptLoss: boolean;
}

export interface ArrayRepair {
  /** What was wrong, as `checkArray` found it before. */
  readonly found: readonly ArrayFinding[];
  /** What had to be done beyond rebuilding the tables of a board. */
  readonly mended: readonly { readonly subject: string; readonly message: string }[];
  /** Records whose last content is gone, of this repair and of earlier losses. */
  readonly lost: readonly LostRun[];
}

/**
 * @throws AgentError `busy` while somebody is attached | `not_found` | `damaged` (array.json or a
 *   device file) | `mismatch` | `unsupported` | `volume` | `no_space` | `failed`
 */
export function repairArray(path: string, options: RepairOptions, parts: ArrayParts): ArrayRepair {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  const place = { directory, geometry };
  return onArrayFiles(directory.path, () =>
    withSetupLock(directory, parts, () => {
      const lock = new FileLock(directory.arrayLockPath, parts);
      try {
        if (!lock.take("exclusive", PROBE_WAIT_MS)) throw inUse(directory);
        // Opening them is the check; nothing is done to an array whose devices are not its own.
        new DiskAdapter(geometry, (device) => directory.devicePath(device), parts).close();
        return repairAlone(parts, place, options);
      } finally {
        lock.close();
      }
    }));
}

function repairAlone(parts: ArrayParts, place: ArrayPlace, options: RepairOptions): ArrayRepair {
  const { files } = parts;
  const found = checkArray(place.directory.path, parts);
  const mended: { subject: string; message: string }[] = [];
  const note = (subject: string, message: string) => mended.push({ subject, message });
  for (const left of leftovers(files, place)) {
    removeIfThere(files, left);
    note(left, "removed: the process that made it ended half way");
  }
  mendPendingMap(files, place, note);
  mendBoardFiles(files, place, note);
  const lost = new Map<number, readonly LostTrack[]>();
  const boards = openBoards(parts, place, processId(files));
  try {
    for (const board of boards) {
      lost.set(board.layout.board, mendLocked(files, place, { board, ...options }));
    }
  } finally {
    for (const board of boards) board.close();
  }
  return { found, mended, lost: lostRuns(place.geometry, lost) };
}

function mendLocked(
  files: Files,
  { geometry }: ArrayPlace,
  { board, acceptLoss }: RepairOptions & { readonly board: MemoryBoard },
): readonly LostTrack[] {
  board.lock();
  let sound = false;
  try {
    const lost = mendBoard(files, board, geometry);
    if (acceptLoss) { for (const { track, device } of lost) board.cache.acceptLoss(track, device); }
    sound = true;
    return lost;
  } finally {
    board.unlock(sound);
  }
}

type Note = (subject: string, message: string) => void;

/** A header is written again before the marks behind it; without them the boards say what is. */
function mendPendingMap(files: Files, { directory, geometry }: ArrayPlace, note: Note): void {
  const path = directory.pendingPath;
  try {
    files.close(openPendingMap(files, path, geometry));
    return;
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "damaged") throw error;
  }
  if (hasSize(files, path, pendingMapBytes(geometry))) {
    writeHeader(files, path, encodePendingHeader(geometry.uuid));
    note(path, "its header was written again");
    return;
  }
  makePendingMap(files, path, geometry);
  const unknown = missingBoards(files, directory, geometry);
  note(
    path,
    "made anew" +
      (unknown.length === 0
        ? " from the memory boards"
        : `; what was lost with board ${unknown.join(", ")} is not known`),
  );
}

function mendBoardFiles(files: Files, place: ArrayPlace, note: Note): void {
  const { directory, geometry } = place;
  const replaced = new Set(missingBoards(files, directory, geometry));
  for (let board = 0; board < geometry.boards; board++) {
    if (replaced.has(board)) continue;
    const path = directory.boardPath(geometry, board);
    const layout = boardLayout(geometry, board);
    const identity = { uuid: geometry.uuid, layout };
    if (!hasSize(files, path, layout.totalBytes)) {
      checkForeign(files, path, identity);
      replaced.add(board);
      continue;
    }
    if (checkForeign(files, path, identity)) continue;
    writeHeader(files, path, encodeBoardHeader(identity, "replaced"));
    note(path, "its header was written again");
  }
  const boards = [...replaced];
  makeBoards(files, place, { boards, origin: "replaced" });
  for (const board of boards) {
    note(directory.boardPath(geometry, board), "replaced by an empty one");
  }
}

/** @returns false when the header is damaged @throws AgentError when it is that of others */
function checkForeign(
  files: Files,
  path: string,
  identity: Parameters<typeof checkBoardHeader>[1],
): boolean {
  const descriptor = files.open(AT_CWD, path, { access: "read" });
  try {
    const header = new Uint8Array(BOARD_HEADER_BYTES);
    const count = files.readAt(descriptor, 0, header);
    checkBoardHeader(header.subarray(0, count), identity, path);
    return true;
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "damaged") throw error;
    return false;
  } finally {
    files.close(descriptor);
  }
}

function hasSize(files: Files, path: string, sizeBytes: number): boolean {
  try {
    return files.stat(AT_CWD, path).sizeBytes === sizeBytes;
  } catch {
    return false;
  }
}

function writeHeader(files: Files, path: string, header: Uint8Array): void {
  const descriptor = files.open(AT_CWD, path, { access: "write" });
  try {
    files.writeAllAt(descriptor, 0, header);
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

function inUse({ path }: ArrayDirectory): AgentError {
  return new AgentError("busy", `Cannot repair array "${path}": in use, need nobody attached`, {
    hint: "Stop the agents that name it in their stgs first.",
  });
}
