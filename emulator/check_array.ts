// Checks a whole array (`array check`): geometry, device files, boards, index. Changes nothing but
// what the next use of a board would repair anyway: a hold that its process did not end.

import { AgentError, type ErrorCode } from "../transport/ground/error.ts";
import { ArrayDirectory, type ArrayParts, onArrayFiles, readGeometry } from "./array_directory.ts";
import { checkBoard } from "./board_check.ts";
import { DiskAdapter } from "./disk_adapter.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { MAX_FINDINGS_PER_BOARD } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { processId } from "./open_array.ts";
import { missingBoards, openBoards } from "./system_bus.ts";

/** One thing that is wrong. */
export interface ArrayFinding {
  readonly code: ErrorCode;
  /** A path: the geometry file, a device file or a board. */
  readonly subject: string;
  readonly message: string;
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
    checkDevices(parts, { directory, geometry }, findings);
    checkBoards(parts, { directory, geometry }, findings);
    return findings;
  });
}

interface Place {
  readonly directory: ArrayDirectory;
  readonly geometry: ArrayGeometry;
}

function checkDevices(parts: ArrayParts, place: Place, findings: ArrayFinding[]): void {
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

function checkBoards(parts: ArrayParts, place: Place, findings: ArrayFinding[]): void {
  const missing = missingBoards(parts.files, place.directory, place.geometry);
  for (const board of missing) {
    const subject = place.directory.boardPath(place.geometry, board);
    const message = "the board is gone, and with it what was not destaged; " +
      "the next attachment makes an empty one";
    findings.push({ code: "damaged", subject, message });
  }
  if (missing.length > 0) return;
  let boards: readonly MemoryBoard[] = [];
  try {
    boards = openBoards(parts, place, processId(parts.files));
    for (const board of boards) checkOne(parts, board, findings);
  } catch (error) {
    note(findings, place.directory.memoryPath(place.geometry), error);
  } finally {
    for (const board of boards) board.close();
  }
}

function checkOne(parts: ArrayParts, board: MemoryBoard, findings: ArrayFinding[]): void {
  let count = 0;
  board.lock();
  try {
    checkBoard(parts.files, board, (message) => {
      count++;
      if (count > MAX_FINDINGS_PER_BOARD) return;
      findings.push({ code: "damaged", subject: board.path, message });
    });
  } finally {
    board.unlock(true);
  }
}

function note(findings: ArrayFinding[], subject: string, error: unknown): void {
  if (!(error instanceof AgentError)) throw error;
  findings.push({ code: error.code, subject, message: error.message });
}
