// Checks a whole array (`array check`): geometry, device files, boards, index. Changes nothing but
// what the next use of a board would repair anyway: a hold that its process did not end.

import { AgentError, type ErrorCode } from "../transport/ground/error.ts";
import { ArrayDirectory, type ArrayParts, onArrayFiles, readGeometry } from "./array_directory.ts";
import type { LostTrack } from "./board_file.ts";
import { checkBoard } from "./board_check.ts";
import { DiskAdapter } from "./disk_adapter.ts";
import { type ArrayGeometry, deviceOfTrack } from "./geometry.ts";
import { type LostRun, lostRuns } from "./lost_records.ts";
import { MAX_FINDINGS_PER_BOARD, MAX_LOST_RUNS } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { leftovers } from "./leftovers.ts";
import { openPendingMap } from "./pending_marks.ts";
import { processId } from "./open_array.ts";
import {
  type ArrayPlace,
  boardNumbers,
  lostTracks,
  missingBoards,
  openBoards,
} from "./system_bus.ts";

/** One thing that is wrong. */
export interface ArrayFinding {
  readonly code: ErrorCode;
  /** A path: the geometry file, a device file or a board. */
  readonly subject: string;
  readonly message: string;
  /** The place, when the finding is that records were lost. */
  readonly lost?: LostRun;
}

/**
 * @returns what is wrong, nothing when the array is sound
 * @throws AgentError `not_found` (no array there) | `failed`
 */
export function checkArray(path: string, parts: ArrayParts): readonly ArrayFinding[] {
  const directory = new ArrayDirectory(path);
  const findings: ArrayFinding[] = [];
  return onArrayFiles(directory.path, () => {
    let geometry: ArrayGeometry;
    try {
      geometry = readGeometry(parts.files, directory);
    } catch (error) {
      if (error instanceof AgentError && error.code === "not_found") throw error;
      note(findings, directory.geometryPath, error);
      return findings;
    }
    for (const subject of leftovers(parts.files, { directory, geometry })) {
      const message = "a process that was killed left it; agent array repair removes it";
      findings.push({ code: "damaged", subject, message });
    }
    checkPendingMap(parts, { directory, geometry }, findings);
    checkDevices(parts, { directory, geometry }, findings);
    checkBoards(parts, { directory, geometry }, findings);
    return findings;
  });
}

function checkPendingMap(parts: ArrayParts, place: ArrayPlace, findings: ArrayFinding[]): void {
  const { directory, geometry } = place;
  try {
    parts.files.close(openPendingMap(parts.files, directory.pendingPath, geometry));
  } catch (error) {
    note(findings, directory.pendingPath, error);
  }
}

function checkDevices(parts: ArrayParts, place: ArrayPlace, findings: ArrayFinding[]): void {
  for (const device of place.geometry.devices) {
    const path = place.directory.devicePath(device);
    try {
      const only = { ...place.geometry, devices: [device] };
      new DiskAdapter(only, () => path, { files: parts.files }).close();
    } catch (error) {
      note(findings, path, error);
    }
  }
}

function checkBoards(parts: ArrayParts, place: ArrayPlace, findings: ArrayFinding[]): void {
  const missing = missingBoards(parts.files, place.directory, place.geometry);
  for (const board of missing) {
    const subject = place.directory.boardPath(place.geometry, board);
    const message = "the board has no power, and what was not destaged is lost; " +
      "the next attachment makes an empty one";
    findings.push({ code: "damaged", subject, message });
  }
  const lost = new Map<number, readonly LostTrack[]>();
  for (const number of boardNumbers(place.geometry)) {
    try {
      lost.set(
        number,
        missing.includes(number)
          ? lostTracks(parts.files, place, number)
          : checkBoardAt(parts, place, number, findings),
      );
    } catch (error) {
      note(findings, place.directory.boardPath(place.geometry, number), error);
    }
  }
  noteLost(place, lostRuns(place.geometry, lost), findings);
}

/** @returns the records that were lost with an earlier board in its place */
function checkBoardAt(
  parts: ArrayParts,
  place: ArrayPlace,
  number: number,
  findings: ArrayFinding[],
): readonly LostTrack[] {
  const [board] = openBoards(parts, place, processId(parts.files), { only: [number] });
  if (board === undefined) return [];
  try {
    return checkOne(parts, place, board, findings);
  } finally {
    board.close();
  }
}

function noteLost(place: ArrayPlace, runs: readonly LostRun[], findings: ArrayFinding[]): void {
  for (const [count, lost] of runs.entries()) {
    const { device, offsetBytes, bytes } = lost;
    const subject = `${place.directory.path}/${device}.dev`;
    if (count === MAX_LOST_RUNS) {
      const message = `${runs.length - count} more places were lost with the power of the cache`;
      findings.push({ code: "damaged", subject, message });
      return;
    }
    const message = `${bytes} bytes at ${offsetBytes} were lost with the power of the cache; ` +
      "reading them fails until they are rewritten";
    findings.push({ code: "damaged", subject, message, lost });
  }
}

function checkOne(
  parts: ArrayParts,
  { geometry }: ArrayPlace,
  board: MemoryBoard,
  findings: ArrayFinding[],
): readonly LostTrack[] {
  let count = 0;
  const lost: LostTrack[] = [];
  board.lock();
  try {
    checkBoard(parts.files, board, geometry, (message) => {
      count++;
      if (count > MAX_FINDINGS_PER_BOARD) return;
      findings.push({ code: "damaged", subject: board.path, message });
    });
    board.cache.forEachMark((track) => {
      const records = board.cache.index.damaged(track);
      const device = deviceOfTrack(geometry, { board: board.layout.board, track }).index;
      if (records !== 0) lost.push({ track, device, records });
    });
  } finally {
    board.unlock(true);
  }
  return lost;
}

function note(findings: ArrayFinding[], subject: string, error: unknown): void {
  if (!(error instanceof AgentError)) throw error;
  findings.push({ code: error.code, subject, message: error.message });
}
