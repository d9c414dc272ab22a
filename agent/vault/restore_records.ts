// Carries out a restore plan: whole zstd frames with the pieces wanted of each. All pieces put end
// to end are the members of the plan, in order.
//
// Memory: one frame and its pieces. Neighbouring members become one piece, so that a frame has at
// most as many pieces as it has gaps.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { FramePlace, MediaReader } from "../media/mod.ts";
import type { Piece, RestoreRecord } from "../record.ts";
import type { MemberChoice } from "./member_choice.ts";
import type { Extent, RestorePlan } from "./restore_plan.ts";

/** A frame of a media file and the pieces wanted of its content. */
export interface FramePieces {
  readonly media: number;
  readonly sequence: number;
  readonly pieces: readonly Piece[];
}

/**
 * Cuts members into pieces of frames. Pure.
 * @param extents by media file and place, without overlap
 * @param framesOf the frames of a media file, in tar order
 * @throws AgentError `damaged` when an extent lies outside its media file or before the last one
 */
export function* cutIntoFrames(
  extents: Iterable<Extent>,
  framesOf: (media: number) => readonly FramePlace[],
): Generator<FramePieces> {
  let current: { media: number; sequence: number; pieces: Piece[] } | null = null;
  let frames: readonly FramePlace[] = [];
  let media = -1;
  let end = 0;
  let at = 0;
  for (const extent of extents) {
    if (extent.media !== media) {
      ({ media } = extent);
      frames = framesOf(media);
      end = 0;
      at = 0;
    }
    if (extent.tarOffset < end) throw misplaced(extent, `after ${end}`);
    end = extent.tarOffset + extent.tarBytes;
    at = findFrame(frames, extent.tarOffset, at);
    for (let offset = extent.tarOffset; offset < end;) {
      const frame = frames[at];
      if (frame === undefined) throw misplaced(extent, "inside its media file");
      const frameEnd = frame.tarOffset + frame.tarBytes;
      if (offset >= frameEnd) {
        at++;
        continue;
      }
      if (current === null || current.media !== media || current.sequence !== at) {
        if (current !== null) yield current;
        current = { media, sequence: at, pieces: [] };
      }
      const length = Math.min(end, frameEnd) - offset;
      addPiece(current.pieces, { offset: offset - frame.tarOffset, length });
      offset += length;
    }
  }
  if (current !== null) yield current;
}

/** Position of the frame that holds `offset`, at or after `from`; the count when none does. */
function findFrame(frames: readonly FramePlace[], offset: number, from: number): number {
  let low = from;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const frame = frames[middle];
    assert(frame !== undefined, "the middle lies inside the table");
    if (frame.tarOffset + frame.tarBytes <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function addPiece(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.offset + last.length === piece.offset) {
    pieces[pieces.length - 1] = { offset: last.offset, length: last.length + piece.length };
  } else {
    pieces.push(piece);
  }
}

/** Those of a plan's members that are chosen. */
function* chosenMembers(plan: RestorePlan, choice: MemberChoice | null): Generator<Extent> {
  let index = 0;
  for (const member of plan.members()) {
    if (choice?.has(index++) ?? true) yield member;
  }
}

/**
 * Reads the frames of a plan, one at a time. The media files are closed when the generator ends or
 * is returned.
 * @param choice of the plan's members by their order, null for all of them
 * @param openMedia opens the media file of the backup with that number
 * @throws AgentError `damaged` | `failed`
 */
export function* readRestoreRecords(
  plan: RestorePlan,
  choice: MemberChoice | null,
  openMedia: (media: number) => MediaReader,
): Generator<RestoreRecord> {
  // The cut runs one frame ahead: two files are open where a plan goes from one to the next.
  const open = new Map<number, MediaReader>();
  const framesOf = (media: number): readonly FramePlace[] => {
    const reader = openMedia(media);
    open.set(media, reader);
    return reader.frames;
  };
  try {
    let sequence = 0;
    const members = chosenMembers(plan, choice);
    for (const { media, sequence: frame, pieces } of cutIntoFrames(members, framesOf)) {
      closeBefore(open, media);
      const reader = open.get(media);
      const place = reader?.frames[frame];
      assert(reader !== undefined && place !== undefined, "the cut asks for frames that exist");
      yield { sequence, frame: reader.readFrame(frame), tarBytes: place.tarBytes, pieces };
      sequence++;
    }
  } finally {
    closeBefore(open, Infinity);
  }
}

/** Extents go up by media number: files below `media` are done with. */
function closeBefore(open: Map<number, MediaReader>, media: number): void {
  for (const [number, reader] of open) {
    if (number >= media) continue;
    reader.close();
    open.delete(number);
  }
}

function misplaced(extent: Extent, wanted: string): AgentError {
  const message = `Cannot read member at ${extent.tarOffset} of media ${extent.media}: need one ` +
    wanted;
  return new AgentError("damaged", message, {
    hint: "Find out by `agent verify` whether the media or the catalog of the vault is damaged.",
  });
}
