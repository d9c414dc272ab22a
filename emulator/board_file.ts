// Makes the file of a memory board: header, empty tables, free slots.
//
// The slots are written once from end to end, so that a full tmpfs is an error here and not a
// SIGBUS later. The file gets its name last: a board is there whole or not at all.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import { type BoardIdentity, type BoardOrigin, encodeBoardHeader } from "./board_header.ts";
import {
  type BoardLayout,
  DEVICE_DAMAGED,
  DEVICE_ENTRY_BYTES,
  SLOT,
  SLOT_HEADER_BYTES,
  STATE,
  TRACK_DAMAGED,
  TRACK_ENTRY_BYTES,
} from "./board_layout.ts";
import { RECORD_BYTES, TRACK_BYTES } from "./limits.ts";
import { slotSeal } from "./slot_seal.ts";

/** Zeros are written in pieces of this many bytes. */
const FILL_BYTES = 16 * TRACK_BYTES;

/** Records of one track that were lost with an earlier board. */
export interface LostTrack {
  /** Number on the board. */
  readonly track: number;
  /** Index of its device. */
  readonly device: number;
  readonly records: number;
}

/** What a board's file is made of. */
export interface NewBoard extends BoardIdentity {
  readonly origin: BoardOrigin;
  /** They read as errors until they are rewritten. */
  readonly lost: readonly LostTrack[];
}

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
  const seal = slotSeal(0, 0, 0);
  for (let slot = 0; slot < layout.slots; slot++) {
    const next = slot + 1 < layout.slots ? slot + 2 : 0;
    view.setUint32(slot * SLOT_HEADER_BYTES + SLOT.nextFree, next, true);
    view.setUint32(slot * SLOT_HEADER_BYTES + SLOT.seal, seal, true);
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
  board: NewBoard,
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
  board: NewBoard,
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
  markLost(files, descriptor, board);
  files.writeAllAt(descriptor, 0, encodeBoardHeader(board, board.origin));
}

/** Before the board has its name, so that none is ever there without them. */
function markLost(files: Files, descriptor: number, { layout, lost }: NewBoard): void {
  const word = new Uint8Array(4);
  const put = (offsetBytes: number, value: number) => {
    new DataView(word.buffer).setUint32(0, value, true);
    files.writeAllAt(descriptor, offsetBytes, word);
  };
  const tracks = new Map<number, number>();
  for (const { track, device, records } of lost) {
    put(layout.tracksOffset + track * TRACK_ENTRY_BYTES + TRACK_DAMAGED, records);
    tracks.set(device, (tracks.get(device) ?? 0) + 1);
  }
  for (const [device, count] of tracks) {
    put(layout.devicesOffset + device * DEVICE_ENTRY_BYTES + DEVICE_DAMAGED, count);
  }
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
