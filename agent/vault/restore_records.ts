// Carries out a restore plan: whole zstd frames with the pieces wanted of each. All pieces put end
// to end are the members of the plan, in order; a damaged frame loses the members that lie in it
// and no others, a medium that cannot be opened those that lie in it.
//
// Memory: two frames and their pieces. Neighbouring members become one piece, so that a frame has
// at most as many pieces as it has gaps.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { type FramePlace, isUnreadable, type MediaReader } from "../media/mod.ts";
import type { Piece, RestoreRecord } from "../record.ts";
import type { MemberChoice } from "./member_choice.ts";
import type { Extent, RestorePlan } from "./restore_plan.ts";

/** A frame of a media file and the pieces wanted of its content. */
export interface FramePieces {
  readonly media: number;
  readonly sequence: number;
  readonly frame: Uint8Array;
  readonly tarBytes: number;
  readonly pieces: readonly Piece[];
}

/** The media files as a cut sees them. */
export interface FrameSource {
  /** The frames of a media file, in tar order; null when it cannot be opened. */
  places(media: number): readonly FramePlace[] | null;
  /** A frame's bytes; null when they are damaged. */
  read(media: number, sequence: number): Uint8Array | null;
  /** A member of which a part cannot be read: it is left out. */
  lose(extent: Extent): void;
}

/**
 * Cuts members into pieces of frames, each of which is read once.
 * @param extents by media file and place, without overlap
 * @returns frames, and "lost" where the pieces before it begin a member that has no end
 * @throws AgentError `damaged` when an extent lies outside its media file or before the last one
 */
export function* cutIntoFrames(
  extents: Iterable<Extent>,
  source: FrameSource,
): Generator<FramePieces | "lost"> {
  let current: FramePieces & { readonly pieces: Piece[] } | null = null;
  let damaged: { readonly media: number; readonly sequence: number } | null = null;
  let frames: readonly FramePlace[] | null = [];
  let media = -1;
  let end = 0;
  let at = 0;
  for (const extent of extents) {
    if (extent.media !== media) {
      ({ media } = extent);
      frames = source.places(media);
      end = 0;
      at = 0;
    }
    if (extent.tarOffset < end) throw misplaced(extent, `after ${end}`);
    end = extent.tarOffset + extent.tarBytes;
    if (frames === null) {
      source.lose(extent);
      continue;
    }
    at = findFrame(frames, extent.tarOffset, at);
    for (let offset = extent.tarOffset; offset < end;) {
      const place = frames[at];
      if (place === undefined) throw misplaced(extent, "inside its media file");
      const frameEnd = place.tarOffset + place.tarBytes;
      if (offset >= frameEnd) {
        at++;
        continue;
      }
      const here = { media, sequence: at };
      if (!isSame(current, here)) {
        const frame = isSame(damaged, here) ? null : source.read(media, at);
        if (frame === null) {
          damaged = here;
          source.lose(extent);
          if (offset === extent.tarOffset) break;
          if (current !== null) yield current;
          current = null;
          yield "lost";
          break;
        }
        if (current !== null) yield current;
        current = { ...here, frame, tarBytes: place.tarBytes, pieces: [] };
      }
      const length = Math.min(end, frameEnd) - offset;
      addPiece(current.pieces, { offset: offset - place.tarOffset, length });
      offset += length;
    }
  }
  if (current !== null) yield current;
}

function isSame<T extends { readonly media: number; readonly sequence: number }>(
  one: T | null,
  other: { readonly media: number; readonly sequence: number },
): one is T {
  return one !== null && one.media === other.media && one.sequence === other.sequence;
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
 * Told of each member that is left out.
 * @param medium why its media file cannot be opened, null when a frame of it is damaged
 */
export type OnLost = (path: Uint8Array, medium: Error | null) => void;

export interface RestoreSources {
  /** Opens the media file of a backup by its number. @throws AgentError `damaged` | `failed` */
  readonly openMedia: (media: number) => MediaReader;
  readonly onLost: OnLost;
}

/**
 * Reads the frames of a plan, one at a time. The media files are closed when the generator ends or
 * is returned.
 * @param choice of the plan's members by their order, null for all of them
 * @throws AgentError `damaged` | `failed`
 */
export function* readRestoreRecords(
  plan: RestorePlan,
  choice: MemberChoice | null,
  { openMedia, onLost }: RestoreSources,
): Generator<RestoreRecord> {
  // The cut runs one frame ahead: two files are open where a plan goes from one to the next.
  const open = new Map<number, MediaReader>();
  let unopened: Error | null = null;
  const source: FrameSource = {
    places(media) {
      unopened = null;
      try {
        const reader = openMedia(media);
        open.set(media, reader);
        return reader.frames;
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        unopened = error;
        return null;
      }
    },
    read: (media, sequence) => readSound(open.get(media), sequence),
    lose: ({ path }) => onLost(path, unopened),
  };
  try {
    let sequence = 0;
    for (const cut of cutIntoFrames(chosenMembers(plan, choice), source)) {
      if (cut === "lost") {
        yield { sequence, frame: new Uint8Array(0), tarBytes: 0, pieces: [] };
      } else {
        closeBefore(open, cut.media);
        yield { sequence, frame: cut.frame, tarBytes: cut.tarBytes, pieces: cut.pieces };
      }
      sequence++;
    }
  } finally {
    closeBefore(open, Infinity);
  }
}

/** A frame, or null when its bytes are not those that were written, or its sectors unreadable. */
function readSound(reader: MediaReader | undefined, sequence: number): Uint8Array | null {
  assert(reader !== undefined, "the cut asks for frames of media that it opened");
  try {
    return reader.readProvedFrame(sequence);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return null;
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
