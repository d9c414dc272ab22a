// Where a board's file has data: what was never touched is a hole, and need not be looked at, so
// that a check of an array of terabytes costs what is in use, not what could be.

import { AgentError } from "../transport/ground/error.ts";
import type { Files } from "../transport/runtime/files.ts";
import { TRACK_DAMAGED, TRACK_ENTRY_BYTES } from "./board_layout.ts";
import type { MemoryBoard } from "./memory_board.ts";

/** Calls `visit` for each word between two places that is not zero. Offsets are whole words. */
export function forEachWord(
  files: Files,
  board: MemoryBoard,
  range: { readonly from: number; readonly end: number },
  visit: (offsetBytes: number, value: number) => void,
): void {
  for (let at = range.from; at < range.end;) {
    const data = files.seek(board.descriptor, at, "data");
    if (data === null || data >= range.end) return;
    const hole = Math.min(range.end, files.seek(board.descriptor, data, "hole") ?? range.end);
    if (hole <= data) {
      throw new AgentError("failed", `Cannot look at memory board "${board.path}": seek went back`);
    }
    for (let offset = data; offset < hole; offset += 4) {
      const value = board.words.load(offset);
      if (value !== 0) visit(offset, value);
    }
    at = hole;
  }
}

/** Calls `visit` for each track whose damaged bitmap is not zero. */
export function forEachDamaged(
  files: Files,
  board: MemoryBoard,
  visit: (track: number, records: number) => void,
): void {
  const from = board.layout.tracksOffset;
  const end = from + board.layout.tracks * TRACK_ENTRY_BYTES;
  forEachWord(files, board, { from, end }, (offset, value) => {
    const within = (offset - from) % TRACK_ENTRY_BYTES;
    if (within === TRACK_DAMAGED) visit((offset - from - within) / TRACK_ENTRY_BYTES, value);
  });
}
