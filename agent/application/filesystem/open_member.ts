// The member in which a backup was cut: a large file, of which the vault has the beginning. The
// backup that goes on with it sends the rest, as long as the file is the one that it was.
//
// Invariant: a member that was begun is complete in length. When the file is not the same any more
// while its rest is read, zeros stand for what is missing, and it is noted as unsettled: the walk,
// also that of a later backup if this one is cut as well, takes it for changed.

import { AT_CWD, SystemError } from "../../../transport/runtime/files.ts";
import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import type { IndexRow } from "../../entry.ts";
import type { TarFrame } from "../../record.ts";
import { toEntry } from "../entry_of.ts";
import type { FrameAssembler } from "../frame_assembler.ts";
import { addNote, findSparseMap, planMember, streamRest } from "../member_stream.ts";
import type { MemberPlan } from "../member_stream.ts";
import { openSource } from "./open_source.ts";
import { readXattrs } from "./read_xattrs.ts";

/** A member and how much of its tar stream is there. */
export interface OpenMember {
  readonly row: IndexRow;
  /** Tar bytes of the stream up to where it was cut. */
  readonly tarOffset: number;
}

/** Would the rest of this member still fit what is there of it? */
export function canGoOn(files: Files, member: OpenMember): boolean {
  const opened = openSame(files, member);
  if (opened !== null) files.close(opened.descriptor);
  return opened !== null;
}

/**
 * Sends the rest of the member.
 * @returns its content bytes, and whether the member is now that of the file
 */
export function* sendRest(
  frames: FrameAssembler,
  files: Files,
  member: OpenMember,
): Generator<TarFrame, { readonly bytes: number; readonly isWhole: boolean }, void> {
  const { row, tarOffset } = member;
  const opened = openSame(files, member);
  let isWhole = false;
  const before = frames.totals.bytes;
  try {
    const plan = opened?.plan ?? zerosFor(row);
    const descriptor = opened?.descriptor ?? -1;
    const isComplete = yield* streamRest(frames, files, {
      descriptor,
      plan,
      skipBytes: tarOffset - row.tarOffset,
    });
    isWhole = isComplete && opened !== null &&
      isSame(files.statDescriptor(opened.descriptor), row);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  } finally {
    if (opened !== null) files.close(opened.descriptor);
  }
  if (!isWhole) {
    yield* addNote(frames, { kind: "unsettled", path: row.entry.path });
    // A note counts for the rows of its frame, too: the path's next one comes in another.
    yield frames.cut();
  }
  return { bytes: frames.totals.bytes - before, isWhole };
}

interface Opened {
  readonly descriptor: number;
  readonly plan: MemberPlan;
}

function openSame(files: Files, { row, tarOffset }: OpenMember): Opened | null {
  let descriptor = -1;
  let plan: MemberPlan | null = null;
  try {
    descriptor = openSource(files, AT_CWD, row.entry.path);
    plan = planSame(files, descriptor, row);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
  // The header must be there: it cannot be made up for, should the file change now.
  if (plan !== null && tarOffset - row.tarOffset >= plan.header.length) return { descriptor, plan };
  if (descriptor >= 0) files.close(descriptor);
  return null;
}

/** The plan of the member, when it is the one that was begun. */
function planSame(files: Files, descriptor: number, row: IndexRow): MemberPlan | null {
  const stat = files.statDescriptor(descriptor);
  // Where holes are is not told by the times: they may be found elsewhere now.
  if (!isSame(stat, row) || findSparseMap(files, descriptor, stat) !== null) return null;
  const { xattrs } = readXattrs(files, descriptor);
  const plan = planMember(toEntry(row.entry.path, stat, null), { sparse: null, xattrs });
  return plan.tarBytes === row.tarBytes ? plan : null;
}

function isSame(stat: FileStat, { entry }: IndexRow): boolean {
  return stat.type === entry.type && stat.inode === entry.inode &&
    stat.sizeBytes === entry.sizeBytes && stat.mtimeNs === entry.mtimeNs &&
    stat.ctimeNs === entry.ctimeNs;
}

/** A plan of the member's length: what is sent of it is zeros, for there is no file to read. */
function zerosFor({ entry, tarBytes }: IndexRow): MemberPlan {
  const extents = [{ offset: 0, length: tarBytes }];
  return { entry, header: new Uint8Array(0), extents, contentBytes: tarBytes, tarBytes };
}
