// The system buses (Fig. 2, 40 and 42): how the directors of one attached host reach the boards.
//
// Opening the bus maps every board into the process. A board whose file is missing lost its power
// (tmpfs is empty after a reboot): an empty one takes its place, and what was not destaged is
// gone. That is only done while nobody else is attached, for others may still have the old board
// mapped, and two boards in one place would be two truths.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { ArrayDirectory, ArrayParts } from "./array_directory.ts";
import { exists } from "./array_directory.ts";
import { makeBoardFile } from "./board_file.ts";
import { BOARD_HEADER_BYTES, type BoardOrigin, checkBoardHeader } from "./board_header.ts";
import { type BoardLayout, boardLayout } from "./board_layout.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { MemoryBoard } from "./memory_board.ts";
import { HostStatistics } from "./statistics.ts";

/** Numbers of the boards whose files are missing. */
export function missingBoards(
  files: Files,
  directory: ArrayDirectory,
  geometry: ArrayGeometry,
): readonly number[] {
  const missing: number[] = [];
  for (let board = 0; board < geometry.boards; board++) {
    if (!exists(files, directory.boardPath(geometry, board))) missing.push(board);
  }
  return missing;
}

/** Makes empty boards in the places `boards`, and the memory directory if need be. */
export function makeBoards(
  files: Files,
  place: { readonly directory: ArrayDirectory; readonly geometry: ArrayGeometry },
  options: { readonly boards: readonly number[]; readonly origin: BoardOrigin },
): void {
  const { directory, geometry } = place;
  try {
    files.makeDirectory(AT_CWD, directory.memoryPath(geometry), 0o700);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "EEXIST") throw error;
  }
  for (const board of options.boards) {
    const layout = boardLayout(geometry, board);
    const identity = { uuid: geometry.uuid, layout, origin: options.origin };
    makeBoardFile(files, directory.boardPath(geometry, board), identity);
  }
}

/**
 * Opens every board of the array; the caller closes them.
 * @param pid of this process, recorded as holder
 * @param statistics of the attachment that counts; those who only look have none
 * @throws AgentError `damaged` | `mismatch` | `unsupported` | `failed`
 */
export function openBoards(
  parts: ArrayParts,
  place: { readonly directory: ArrayDirectory; readonly geometry: ArrayGeometry },
  pid: number,
  statistics = new HostStatistics(place.geometry.devices.length),
): MemoryBoard[] {
  const boards: MemoryBoard[] = [];
  try {
    for (let board = 0; board < place.geometry.boards; board++) {
      boards.push(openBoard(parts, place, { board, pid, statistics }));
    }
    return boards;
  } catch (error) {
    for (const board of boards) board.close();
    throw error;
  }
}

function openBoard(
  parts: ArrayParts,
  place: { readonly directory: ArrayDirectory; readonly geometry: ArrayGeometry },
  which: {
    readonly board: number;
    readonly pid: number;
    readonly statistics: HostStatistics;
  },
): MemoryBoard {
  const { files, memories, clock } = parts;
  const path = place.directory.boardPath(place.geometry, which.board);
  const layout = boardLayout(place.geometry, which.board);
  const descriptor = openFile(files, path);
  try {
    const origin = checkFile(files, { descriptor, path }, { layout, uuid: place.geometry.uuid });
    const memory = memories.map(path, layout.totalBytes);
    return new MemoryBoard({
      path,
      origin,
      layout,
      memory,
      descriptor,
      files,
      clock,
      pid: which.pid,
      statistics: which.statistics,
    });
  } catch (error) {
    files.close(descriptor);
    throw error;
  }
}

function checkFile(
  files: Files,
  file: { readonly descriptor: number; readonly path: string },
  identity: { readonly layout: BoardLayout; readonly uuid: string },
): BoardOrigin {
  const header = new Uint8Array(BOARD_HEADER_BYTES);
  const count = files.readAt(file.descriptor, 0, header);
  const origin = checkBoardHeader(header.subarray(0, count), identity, file.path);
  const found = files.statDescriptor(file.descriptor).sizeBytes;
  if (found === identity.layout.totalBytes) return origin;
  throw new AgentError(
    "damaged",
    `Cannot open memory board "${file.path}": ${found} bytes, need ${identity.layout.totalBytes}`,
    { hint: "Move the file away: an empty board takes its place when nobody is attached." },
  );
}

function openFile(files: Files, path: string): number {
  try {
    return files.open(AT_CWD, path, { access: "read-write" });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new AgentError(
      "failed",
      `Cannot open memory board "${path}": ${error.errno}, need to read and write it`,
      { hint: "Run all agents of one array as the same user.", cause: error },
    );
  }
}
