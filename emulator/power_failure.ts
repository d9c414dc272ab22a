// The power of the system memory fails on purpose (`array power-fail`): what was not destaged is
// gone, as if the machine had been switched off.
//
// Each board is switched off under its lock: its headers and index are wiped, so that a reader
// without the lock finds nothing, and its power word fails everybody who takes the lock from then
// on. Hosts that are attached get `volume` errors until they attach again; the next attachment puts
// an empty board in the place of the old one, on which the lost records read as errors.

import { ArrayDirectory, type ArrayParts, onArrayFiles, readGeometry } from "./array_directory.ts";
import { POWER_OFF, SLOT, STATE } from "./board_layout.ts";
import { FileLock } from "./file_lock.ts";
import { ATTACH_WAIT_MS } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { arrayBusy, processId, withSetupLock } from "./open_array.ts";
import { boardNumbers, missingBoards, openBoards } from "./system_bus.ts";

/**
 * May be called while hosts are attached. Boards that have no power already stay as they are.
 * @returns count of tracks that were write pending: what they held of these records is lost
 * @throws AgentError `not_found` | `busy` | `damaged` | `mismatch` | `unsupported` | `failed`
 */
export function failPower(path: string, parts: ArrayParts): { readonly tracks: number } {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  const place = { directory, geometry };
  return onArrayFiles(directory.path, () =>
    withSetupLock(directory, parts, () => {
      const lock = new FileLock(directory.arrayLockPath, parts);
      try {
        if (!lock.take("shared", ATTACH_WAIT_MS)) throw arrayBusy(directory, "being destaged");
        const off = missingBoards(parts.files, directory, geometry);
        const on = boardNumbers(geometry).filter((board) => !off.includes(board));
        const boards = openBoards(parts, place, processId(parts.files), { only: on });
        try {
          return { tracks: boards.reduce((sum, board) => sum + switchOff(board), 0) };
        } finally {
          for (const board of boards) board.close();
        }
      } finally {
        lock.close();
      }
    }));
}

/** @returns count of write-pending tracks */
function switchOff(board: MemoryBoard): number {
  board.lock();
  try {
    const { cache, layout, words } = board;
    const pending = words.state(STATE.writePending);
    // The word comes first: whoever finds a board half wiped must not repair and use it.
    words.setState(STATE.power, POWER_OFF);
    for (let slot = 0; slot < layout.slots; slot++) {
      const header = cache.headerOffset(slot);
      words.add(header + SLOT.generation, 1);
      cache.empty(slot);
    }
    cache.index.clear();
    return pending;
  } finally {
    board.unlock(true);
  }
}
