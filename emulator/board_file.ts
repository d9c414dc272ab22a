// Makes the file of a memory board: header, empty tables, free slots.
//
// The slots are written once from end to end, so that a full tmpfs is an error here and not a
// SIGBUS later. The file gets its name last: a board is there whole or not at all.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import { type BoardIdentity, type BoardOrigin, encodeBoardHeader } from "./board_header.ts";
import { type BoardLayout, SLOT, SLOT_HEADER_BYTES, STATE } from "./board_layout.ts";
import { RECORD_BYTES, TRACK_BYTES } from "./limits.ts";

/** Zeros are written in pieces of this many bytes. */
const FILL_BYTES = 16 * TRACK_BYTES;

/** The state page of an empty board. */
export function emptyState(layout: BoardLayout): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(STATE.freeHead, 1, true);
  view.setUint32(STATE.freeCount, layout.slots, true);
  return bytes;
}

/** The slot headers of an empty board: all on the free list, in order. */
export function emptySlotHeaders(layout: BoardLayout): Uint8Array {
  const bytes = new Uint8Array(layout.slots * SLOT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  for (let slot = 0; slot + 1 < layout.slots; slot++) {
    view.setUint32(slot * SLOT_HEADER_BYTES + SLOT.nextFree, slot + 2, true);
  }
  return bytes;
}

/**
 * Makes an empty board at `path`, replacing what is there.
 * @throws AgentError `no_space` | `failed`
 */
export function makeBoardFile(
  files: Files,
  path: string,
  board: BoardIdentity & { readonly origin: BoardOrigin },
): void {
  const temporary = `${path}.new`;
  try {
    const flags = { access: "write", create: true, truncate: true, mode: 0o600 } as const;
    const descriptor = files.open(AT_CWD, temporary, flags);
    try {
      fillBoard(files, descriptor, board);
    } finally {
      files.close(descriptor);
    }
    files.rename(AT_CWD, temporary, AT_CWD, path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refuse(files, path, error);
  }
}

function fillBoard(
  files: Files,
  descriptor: number,
  board: BoardIdentity & { readonly origin: BoardOrigin },
): void {
  const { layout } = board;
  files.truncate(descriptor, layout.totalBytes);
  const zeros = new Uint8Array(FILL_BYTES);
  for (let at = layout.slotsOffset; at < layout.totalBytes; at += FILL_BYTES) {
    const count = Math.min(FILL_BYTES, layout.totalBytes - at);
    files.writeAllAt(descriptor, at, zeros.subarray(0, count));
  }
  files.writeAllAt(descriptor, layout.slotHeadersOffset, emptySlotHeaders(layout));
  files.writeAllAt(descriptor, layout.stateOffset, emptyState(layout));
  files.writeAllAt(descriptor, 0, encodeBoardHeader(board, board.origin));
}

function refuse(files: Files, path: string, cause: SystemError): AgentError {
  try {
    files.unlink(AT_CWD, `${path}.new`);
  } catch {
    // The first failure is the one to report.
  }
  const full = cause.errno === "ENOSPC" || cause.errno === "EDQUOT";
  return new AgentError(
    full ? "no_space" : "failed",
    `Cannot make memory board "${path}": ${cause.errno}, need space for it`,
    { hint: "Free space there, or create the array with a smaller --cache.", cause },
  );
}
