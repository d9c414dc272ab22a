// Members into frames: planned (headers, extents, size), then either written whole into the
// present frame or streamed over as many frames as it takes.
//
// Invariants: what a header promised is what follows it, in length, whatever happens to the file
// meanwhile: a shorter one is filled with zeros, a longer one is cut.

import type { Files, FileStat } from "../../transport/runtime/files.ts";
import type { Entry, IndexNote } from "../entry.ts";
import type { TarFrame } from "../record.ts";
import {
  BLOCK_BYTES,
  encodeFiller,
  encodeMemberHeader,
  MAX_SPARSE_EXTENTS,
  paddingBytes,
  sparseDataBytes,
} from "../tar/mod.ts";
import type { MemberExtra, SparseExtent, SparseMap } from "../tar/mod.ts";
import type { FrameAssembler } from "./frame_assembler.ts";

/** Two blocks of zeros end a tar stream. */
const END_OF_TAR_BYTES = 2 * BLOCK_BYTES;

/** A member as it will be written. */
export interface MemberPlan {
  readonly entry: Entry;
  readonly header: Uint8Array;
  /** The parts of the file that are stored, in order. */
  readonly extents: SparseMap;
  readonly contentBytes: number;
  /** Header, content and padding. */
  readonly tarBytes: number;
}

/** Plans the member of an entry; the sparse map is that of a file that is stored with holes. */
export function planMember(entry: Entry, extra: MemberExtra): MemberPlan {
  const { sparse } = extra;
  const header = encodeMemberHeader(entry, extra);
  const whole = entry.type === "file" && entry.sizeBytes > 0
    ? [{ offset: 0, length: entry.sizeBytes }]
    : [];
  const extents = sparse ?? whole;
  const contentBytes = sparseDataBytes(extents);
  const tarBytes = header.length + contentBytes + paddingBytes(contentBytes);
  return { entry, header, extents, contentBytes, tarBytes };
}

/** The data extents of an open file, or null when it has no hole worth a map. */
export function findSparseMap(files: Files, descriptor: number, stat: FileStat): SparseMap | null {
  if (stat.blocks512 * 512 >= stat.sizeBytes) return null;
  const map: SparseExtent[] = [];
  let at = 0;
  while (at < stat.sizeBytes) {
    const data = files.seek(descriptor, at, "data");
    if (data === null || data >= stat.sizeBytes) break;
    const hole = files.seek(descriptor, data, "hole") ?? stat.sizeBytes;
    // Whole blocks, as GNU tar wants them; file systems with byte-exact holes exist.
    const last = map.at(-1);
    const offset = Math.max(data - data % BLOCK_BYTES, last ? last.offset + last.length : 0);
    const end = Math.min(Math.ceil(hole / BLOCK_BYTES) * BLOCK_BYTES, stat.sizeBytes);
    if (last !== undefined && last.offset + last.length === offset) {
      map[map.length - 1] = { offset: last.offset, length: end - last.offset };
    } else if (end > offset) {
      map.push({ offset, length: end - offset });
    }
    if (map.length > MAX_SPARSE_EXTENTS) return null;
    at = Math.max(hole, data + 1);
  }
  return sparseDataBytes(map) === stat.sizeBytes ? null : map;
}

/**
 * Writes a member that fits the frame into its window, without taking it.
 * @returns false when the file was shorter than planned
 * @throws SystemError when the file cannot be read
 */
export function fillMember(
  files: Files,
  descriptor: number,
  window: Uint8Array,
  plan: MemberPlan,
): boolean {
  window.set(plan.header);
  let at = plan.header.length;
  let complete = true;
  for (const extent of plan.extents) {
    const into = window.subarray(at, at + extent.length);
    const count = files.readAt(descriptor, extent.offset, into);
    into.fill(0, count);
    complete &&= count === extent.length;
    at += extent.length;
  }
  window.fill(0, at, plan.tarBytes);
  return complete;
}

/**
 * Streams a member of any size over the frames.
 * @returns false when the file was shorter than planned (zeros stand for the rest)
 * @throws SystemError when the file cannot be read; the member is complete in length even then
 */
export function* streamMember(
  frames: FrameAssembler,
  files: Files,
  descriptor: number,
  plan: MemberPlan,
): Generator<TarFrame, boolean, void> {
  if (frames.room === 0) yield frames.cut();
  frames.addRow(plan.entry, plan.tarBytes);
  return yield* streamRest(frames, files, { descriptor, plan, skipBytes: 0 });
}

/**
 * Streams what is left of a member whose first bytes are there already.
 * @returns and throws as `streamMember`
 */
export function* streamRest(
  frames: FrameAssembler,
  files: Files,
  member: {
    readonly descriptor: number;
    readonly plan: MemberPlan;
    readonly skipBytes: number;
  },
): Generator<TarFrame, boolean, void> {
  const { descriptor, plan, skipBytes } = member;
  yield* appendBytes(frames, plan.header.subarray(skipBytes));
  let skip = Math.max(0, skipBytes - plan.header.length);
  let complete = true;
  let failure: unknown = null;
  for (const extent of plan.extents) {
    let left = Math.max(0, extent.length - skip);
    skip = Math.max(0, skip - extent.length);
    while (left > 0) {
      if (frames.room === 0) yield frames.cut();
      const into = frames.window.subarray(0, Math.min(left, frames.room));
      let count = 0;
      try {
        if (complete) {
          count = files.readAt(descriptor, extent.offset + extent.length - left, into);
        }
      } catch (error) {
        failure = error;
      }
      into.fill(0, count);
      if (count < into.length) complete = false;
      frames.advance(into.length, into.length);
      left -= into.length;
    }
  }
  const padding = new Uint8Array(paddingBytes(plan.contentBytes));
  yield* appendBytes(frames, padding.subarray(Math.min(skip, padding.length)));
  if (failure !== null) throw failure;
  return complete;
}

/** Notes something about a path, in a frame of its own when the present one has many notes. */
export function* addNote(
  frames: FrameAssembler,
  note: IndexNote,
): Generator<TarFrame, void, void> {
  yield* makeNoteRoom(frames);
  frames.addNote(note);
}

/**
 * Makes room for one more note. Before a member it keeps that and what is noted of it in one
 * frame, so that a backup that is cut never has the one without the other.
 */
export function* makeNoteRoom(frames: FrameAssembler): Generator<TarFrame, void, void> {
  if (!frames.notesAreFull) return;
  if (frames.isEmpty) frames.append(encodeFiller());
  yield frames.cut();
}

/** Ends the stream: two blocks of zeros and the last frame. */
export function* endStream(frames: FrameAssembler): Generator<TarFrame, void, void> {
  if (frames.room < END_OF_TAR_BYTES) yield frames.cut();
  frames.append(new Uint8Array(END_OF_TAR_BYTES));
  yield frames.cut();
}

function* appendBytes(
  frames: FrameAssembler,
  bytes: Uint8Array,
): Generator<TarFrame, void, void> {
  let at = 0;
  while (at < bytes.length) {
    if (frames.room === 0) yield frames.cut();
    const part = bytes.subarray(at, at + frames.room);
    frames.append(part);
    at += part.length;
  }
}
