// The system buses (Fig. 2, 40 and 42): how the directors of one attached host reach the boards.
//
// Opening the bus maps every board into the process. A board whose file is missing (tmpfs is empty
// after a reboot) or that was switched off (power_failure.ts) lost its power: an empty one takes
// its place, and what was not destaged is gone; pending_marks.ts says what was. A missing file
// is only replaced while nobody else is attached, for others may still have the old board mapped,
// and two boards in one place would be two truths. One that was switched off serves nobody.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { ArrayDirectory, ArrayParts } from "./array_directory.ts";
import { exists } from "./array_directory.ts";
import { type LostTrack, makeBoardFile } from "./board_file.ts";
import { BOARD_HEADER_BYTES, type BoardOrigin, checkBoardHeader } from "./board_header.ts";
import { type BoardLayout, boardLayout, POWER_OFF, STATE } from "./board_layout.ts";
import { type ArrayGeometry, deviceOfTrack } from "./geometry.ts";
import { MemoryBoard } from "./memory_board.ts";
import { PendingMarks } from "./pending_marks.ts";
import { HostStatistics } from "./statistics.ts";

/** An array directory and what its geometry says. */
export interface ArrayPlace {
  readonly directory: ArrayDirectory;
  readonly geometry: ArrayGeometry;
}

/** Numbers of the boards that have no power: their files are missing or switched off. */
export function missingBoards(
  files: Files,
  directory: ArrayDirectory,
  geometry: ArrayGeometry,
): readonly number[] {
  const missing: number[] = [];
  for (let board = 0; board < geometry.boards; board++) {
    const path = directory.boardPath(geometry, board);
    if (!exists(files, path) || isSwitchedOff(files, path)) missing.push(board);
  }
  return missing;
}

function isSwitchedOff(files: Files, path: string): boolean {
  const descriptor = openFile(files, path);
  try {
    const word = new Uint8Array(4);
    // The state page has its place on every board.
    files.readAt(descriptor, BOARD_HEADER_BYTES + STATE.power, word);
    return new DataView(word.buffer).getUint32(0, true) === POWER_OFF;
  } finally {
    files.close(descriptor);
  }
}

/** What the durable marks say was on a board that has no power any more. @throws AgentError */
export function lostTracks(files: Files, place: ArrayPlace, board: number): readonly LostTrack[] {
  const { directory, geometry } = place;
  const marks = new PendingMarks(files, directory.pendingPath, geometry, board);
  const lost: LostTrack[] = [];
  try {
    marks.forEach((track, records) => {
      lost.push({ track, records, device: deviceOfTrack(geometry, { board, track }).index });
    });
  } finally {
    marks.close();
  }
  return lost;
}

/** Makes empty boards in the places `boards`, and the memory directory if need be. */
export function makeBoards(
  files: Files,
  place: ArrayPlace,
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
    const { origin } = options;
    const lost = origin === "created" ? [] : lostTracks(files, place, board);
    const identity = { uuid: geometry.uuid, layout, origin, lost };
    makeBoardFile(files, directory.boardPath(geometry, board), identity);
  }
}

export interface OpenBoardsOptions {
  /** Numbers of the boards to open; default all. */
  readonly only?: readonly number[];
  /** Of the attachment that counts; those who only look have none. */
  readonly statistics?: HostStatistics;
}

/**
 * Opens boards of the array; the caller closes them.
 * @param pid of this process, recorded as holder
 * @throws AgentError `damaged` | `mismatch` | `unsupported` | `failed`
 */
export function openBoards(
  parts: ArrayParts,
  place: ArrayPlace,
  pid: number,
  options: OpenBoardsOptions = {},
): MemoryBoard[] {
  const { only = boardNumbers(place.geometry) } = options;
  const { statistics = new HostStatistics(place.geometry.devices.length) } = options;
  const boards: MemoryBoard[] = [];
  try {
    for (const board of only) {
      boards.push(openBoard(parts, place, { board, pid, statistics }));
    }
    return boards;
  } catch (error) {
    for (const board of boards) board.close();
    throw error;
  }
}

export function boardNumbers(geometry: ArrayGeometry): readonly number[] {
  return Array.from({ length: geometry.boards }, (_, board) => board);
}

function openBoard(
  parts: ArrayParts,
  place: ArrayPlace,
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
    const { directory, geometry } = place;
    const { pid, statistics } = which;
    const marks = new PendingMarks(files, directory.pendingPath, geometry, which.board);
    try {
      const memory = memories.map(path, layout.totalBytes);
      const opened = { path, origin, layout, memory, marks, descriptor };
      return new MemoryBoard({ ...opened, files, clock, pid, statistics });
    } catch (error) {
      marks.close();
      throw error;
    }
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
