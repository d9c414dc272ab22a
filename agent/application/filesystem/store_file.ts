// Stores one regular file with content: small ones (their member fits a frame) are read into the
// frame and looked at again before they count, larger ones are streamed at the size they had. A
// file that changed meanwhile is read again, up to a limit; then the last reading stays. A file
// that only grew is a whole earlier state: it is not read again when that would cost a
// transmission.
//
// Invariant: a member that was begun is complete in length; when its file cannot be read to the
// end, it is said to be void, so that no backup presents zeros for content.

import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import type { TarFrame } from "../../record.ts";
import type { ApplicationWarning } from "../application.ts";
import { toEntry } from "../entry_of.ts";
import type { FrameAssembler } from "../frame_assembler.ts";
import { MAX_READ_TRIES, MAX_STREAM_TRIES } from "../limits.ts";
import { fillMember, findSparseMap, planMember, streamMember } from "../member_stream.ts";
import type { MemberPlan } from "../member_stream.ts";
import { openSource } from "./open_source.ts";
import type { ReadAhead } from "./read_ahead.ts";
import { readXattrs, warnMissed } from "./read_xattrs.ts";
import { type Visit, warnOf } from "./walk.ts";

export interface StoreFileOptions {
  readonly files: Files;
  readonly onWarning: (warning: ApplicationWarning) => void;
  /** It was changed just before it was looked at. */
  readonly isRecent: boolean;
  /** May have the file of the visit open. */
  readonly ahead: ReadAhead | undefined;
}

/** An object whose member was made. */
export interface Stored {
  /** What is stored: another file than that of the visit when the name has changed hands. */
  readonly stat: FileStat;
  /** False when something is missing, or may be of another moment than the rest. */
  readonly isSettled: boolean;
}

/** Null: nothing was made; "void": a member that is not to be taken for the file. */
export type StoredFile = Stored | "void" | null;

type Storing = Generator<TarFrame, StoredFile, void>;

/** Stores the file of a visit. */
export function* storeFile(
  frames: FrameAssembler,
  options: StoreFileOptions,
  visit: Visit,
): Storing {
  const { files, ahead, onWarning } = options;
  const file: OpenFile = { descriptor: -1, isBegun: false };
  try {
    file.descriptor = ahead?.take() ?? openSource(files, visit.directory, visit.name);
    return yield* storeOpenFile(frames, options, visit, file);
  } catch (error) {
    warnOf(onWarning, visit.path, error);
    return file.isBegun ? "void" : null;
  } finally {
    if (file.descriptor >= 0) files.close(file.descriptor);
  }
}

interface OpenFile {
  descriptor: number;
  /** The stream has a member of it. */
  isBegun: boolean;
}

function* storeOpenFile(
  frames: FrameAssembler,
  options: StoreFileOptions,
  { path, stat: visited }: Visit,
  file: OpenFile,
): Storing {
  const { files, onWarning, isRecent } = options;
  const { descriptor } = file;
  let stat = visited;
  for (let tries = 1;; tries++) {
    if (stat.type !== "file") {
      onWarning({ code: "vanished", path, message: `it became a ${stat.type}` });
      return file.isBegun ? "void" : null;
    }
    const { xattrs, missed } = readXattrs(files, descriptor);
    const sparse = findSparseMap(files, descriptor, stat);
    const plan = planMember(toEntry(path, stat, null), { sparse, xattrs });
    const small = plan.tarBytes <= frames.frameBytes;
    if (small && plan.tarBytes > frames.room) yield frames.cut();
    // A small one is read into the frame's window without taking it.
    const complete = small
      ? fillMember(files, descriptor, frames.window, plan)
      : yield* streamLarge(frames, { files, isRecent: isRecent || tries > 1 }, file, plan);
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
    // After a change another one may have left the same times.
    if (same) return { stat, isSettled: tries === 1 && missed === null };
    const message = `it had ${stat.sizeBytes} bytes and has ${after.sizeBytes} now`;
    onWarning({ code: grown ? "grown" : "changed", path, message });
    return { stat, isSettled: false };
  }
}

function* streamLarge(
  frames: FrameAssembler,
  { files, isRecent }: Pick<StoreFileOptions, "files" | "isRecent">,
  file: OpenFile,
  plan: MemberPlan,
): Generator<TarFrame, boolean, void> {
  // A backup that is cut in here is gone on with before this member, not before its frame's others.
  if (!frames.isEmpty) yield frames.cut();
  // Then it is not gone on with in here, either: what comes may be of another moment.
  if (isRecent) frames.addNote({ kind: "unsettled", path: plan.entry.path });
  file.isBegun = true;
  try {
    return yield* streamMember(frames, files, file.descriptor, plan);
  } catch (error) {
    frames.discount(plan.contentBytes);
    throw error;
  }
}

function isSame(a: FileStat, b: FileStat): boolean {
  return a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs && a.type === b.type;
}
