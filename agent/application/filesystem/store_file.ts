// Stores one regular file with content: small ones (their member fits a frame) are read into the
// frame and looked at again before they count, larger ones are streamed at the size they had. A
// file that changed meanwhile is read again, up to a limit; then the last reading stays and is
// noted as unsettled. A file that only grew is a whole earlier state: it is not read again when
// that would cost a transmission.
//
// Invariant: a member that was begun is complete in length; when its file cannot be read to the
// end, its path is noted as deleted, so that no backup presents zeros for content.

import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import type { TarFrame } from "../../record.ts";
import type { ApplicationWarning } from "../application.ts";
import { toEntry } from "../entry_of.ts";
import type { FrameAssembler } from "../frame_assembler.ts";
import { MAX_READ_TRIES, MAX_STREAM_TRIES } from "../limits.ts";
import { addNote, fillMember, findSparseMap, planMember, streamMember } from "../member_stream.ts";
import type { MemberPlan } from "../member_stream.ts";
import { readXattrs, warnMissed } from "./read_xattrs.ts";
import { type Visit, warnOf } from "./walk.ts";

export interface StoreFileOptions {
  readonly files: Files;
  readonly onWarning: (warning: ApplicationWarning) => void;
  /** It was changed just before it was looked at. */
  readonly isRecent: boolean;
}

/** How a file was stored: null when it was not. */
export type StoredFile = "settled" | "unsettled" | null;

type Storing = Generator<TarFrame, StoredFile, void>;

/** Stores the file of a visit. */
export function* storeFile(
  frames: FrameAssembler,
  options: StoreFileOptions,
  visit: Visit,
): Storing {
  const { files } = options;
  const flags = { access: "read", noFollow: true, noAtime: true } as const;
  let descriptor = -1;
  try {
    descriptor = files.open(visit.directory, visit.name, flags);
    return yield* storeOpenFile(frames, options, visit, descriptor);
  } catch (error) {
    warnOf(options.onWarning, visit.path, error);
    return null;
  } finally {
    if (descriptor >= 0) files.close(descriptor);
  }
}

function* storeOpenFile(
  frames: FrameAssembler,
  options: StoreFileOptions,
  visit: Visit,
  descriptor: number,
): Storing {
  const { files, onWarning, isRecent } = options;
  const path = visit.path;
  let stat = visit.stat;
  for (let tries = 1;; tries++) {
    if (stat.type !== "file") {
      onWarning({ code: "vanished", path, message: `it became a ${stat.type}` });
      return null;
    }
    const { xattrs, missed } = readXattrs(files, descriptor);
    const sparse = findSparseMap(files, descriptor, stat);
    const plan = planMember(toEntry(path, stat, null), { sparse, xattrs });
    const small = plan.tarBytes <= frames.frameBytes;
    const complete = small
      ? yield* readSmall(frames, files, descriptor, plan)
      : yield* streamLarge(frames, { files, isRecent: isRecent || tries > 1 }, descriptor, plan);
    const after = files.statDescriptor(descriptor);
    const same = complete && isSame(stat, after);
    const grown = complete && after.sizeBytes > stat.sizeBytes && after.inode === stat.inode;
    const again = small ? tries < MAX_READ_TRIES : tries < MAX_STREAM_TRIES && !grown;
    if (!same && again) {
      if (!small) frames.discount(plan.contentBytes);
      stat = after;
      continue;
    }
    if (small) {
      frames.addRow(plan.entry, plan.tarBytes);
      frames.advance(plan.tarBytes, plan.contentBytes);
    }
    warnMissed(onWarning, path, missed);
    if (same) return "settled";
    const message = `it had ${stat.sizeBytes} bytes and has ${after.sizeBytes} now`;
    onWarning({ code: grown ? "grown" : "changed", path, message });
    return "unsettled";
  }
}

/** Reads into the frame's window without taking it. @returns false when it was too short */
function* readSmall(
  frames: FrameAssembler,
  files: Files,
  descriptor: number,
  plan: MemberPlan,
): Generator<TarFrame, boolean, void> {
  if (plan.tarBytes > frames.room) yield frames.cut();
  return fillMember(files, descriptor, frames.window, plan);
}

function* streamLarge(
  frames: FrameAssembler,
  { files, isRecent }: Pick<StoreFileOptions, "files" | "isRecent">,
  descriptor: number,
  plan: MemberPlan,
): Generator<TarFrame, boolean, void> {
  // A backup that is cut in here is gone on with before this member, not before its frame's others.
  if (!frames.isEmpty) yield frames.cut();
  // Then it is not gone on with in here, either: what comes may be of another moment.
  if (isRecent) frames.addNote({ kind: "unsettled", path: plan.entry.path });
  try {
    return yield* streamMember(frames, files, descriptor, plan);
  } catch (error) {
    frames.discount(plan.contentBytes);
    yield* addNote(frames, { kind: "deleted", path: plan.entry.path });
    throw error;
  }
}

function isSame(a: FileStat, b: FileStat): boolean {
  return a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs && a.type === b.type;
}
