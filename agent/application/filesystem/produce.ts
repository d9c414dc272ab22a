// The producer of a file-system backup: the walk's visits as members of a tar stream in frames.
//
// Small files (their member fits a frame) are read into the frame and looked at again before they
// count; a file that changed meanwhile is read again, up to MAX_READ_TRIES. Larger ones are
// streamed at the size they had when they were opened. Memory: one frame, whatever the tree.

import { AgentError } from "../../../transport/ground/error.ts";
import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import type { Entry, Xattr } from "../../entry.ts";
import type { DataRecord } from "../../record.ts";
import type { ApplicationWarning, Producer } from "../application.ts";
import { toEntry } from "../entry_of.ts";
import { FrameAssembler } from "../frame_assembler.ts";
import { MAX_READ_TRIES } from "../limits.ts";
import {
  endStream,
  fillMember,
  findSparseMap,
  planMember,
  streamMember,
} from "../member_stream.ts";
import { compileExclude } from "./exclude.ts";
import { HardLinks } from "./hard_links.ts";
import { readXattrs } from "./read_xattrs.ts";
import { normalizeSourcePaths } from "./source_paths.ts";
import { walk, warnOf } from "./walk.ts";
import type { Visit } from "./walk.ts";

export interface ProduceFilesystemOptions {
  readonly files: Files;
  /** Absolute paths. */
  readonly paths: readonly string[];
  /** Globs for the full path. */
  readonly exclude: readonly string[];
  /** zstd level. */
  readonly level: number;
  /** Tar bytes of a frame; 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
  readonly onWarning: (warning: ApplicationWarning) => void;
  readonly signal?: AbortSignal | undefined;
  /** For tests: directory descriptors held at once. */
  readonly maxOpenDirectories?: number | undefined;
}

/**
 * Produces the records of a full backup.
 * @throws AgentError `usage` | `not_found` before the first record, `cancelled` by the signal
 */
export function* produceFilesystem(options: ProduceFilesystemOptions): Producer {
  const frames = new FrameAssembler(options);
  const links = new HardLinks();
  const visits = walk({
    files: options.files,
    paths: normalizeSourcePaths(options.paths),
    excluded: compileExclude(options.exclude),
    onWarning: options.onWarning,
    maxOpenDirectories: options.maxOpenDirectories,
  });
  for (const visit of visits) {
    if (options.signal?.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
    const first = links.firstName(visit.stat);
    if (first !== null) {
      const entry = toEntry(visit.path, visit.stat, null);
      yield* storePlain(frames, options.files, {
        ...entry,
        type: "hardlink",
        sizeBytes: 0,
        target: first,
        rdev: null,
      }, []);
    } else if (yield* storeVisit(frames, options, visit)) {
      links.stored(visit.stat, visit.path);
    }
  }
  yield* endStream(frames);
  return frames.totals;
}

/** @returns true when the object was stored with its data */
function* storeVisit(
  frames: FrameAssembler,
  options: ProduceFilesystemOptions,
  visit: Visit,
): Generator<DataRecord, boolean, void> {
  const { files } = options;
  if (visit.stat.type === "file" && visit.stat.sizeBytes > 0) {
    return yield* storeFile(frames, options, visit);
  }
  let target: Uint8Array | null = null;
  try {
    if (visit.stat.type === "symlink") target = files.readLink(visit.directory, visit.name);
  } catch (error) {
    warnOf(options.onWarning, visit.path, error);
    return false;
  }
  const { xattrs, missed } = readXattrs(files, visit);
  yield* storePlain(frames, files, toEntry(visit.path, visit.stat, target), xattrs);
  warnMissed(options.onWarning, visit.path, missed);
  return true;
}

/** Stores an entry without content. */
function* storePlain(
  frames: FrameAssembler,
  files: Files,
  entry: Entry,
  xattrs: readonly Xattr[],
): Generator<DataRecord, void, void> {
  const plan = planMember(entry, { sparse: null, xattrs });
  if (plan.tarBytes > frames.room && !frames.isEmpty) yield frames.cut();
  // No descriptor: there is no content to read.
  yield* streamMember(frames, files, -1, plan);
}

function* storeFile(
  frames: FrameAssembler,
  options: ProduceFilesystemOptions,
  visit: Visit,
): Generator<DataRecord, boolean, void> {
  const { files } = options;
  const flags = { access: "read", noFollow: true, noAtime: true } as const;
  let descriptor = -1;
  try {
    descriptor = files.open(visit.directory, visit.name, flags);
    return yield* storeOpenFile(frames, options, visit, descriptor);
  } catch (error) {
    warnOf(options.onWarning, visit.path, error);
    return false;
  } finally {
    if (descriptor >= 0) files.close(descriptor);
  }
}

function* storeOpenFile(
  frames: FrameAssembler,
  options: ProduceFilesystemOptions,
  visit: Visit,
  descriptor: number,
): Generator<DataRecord, boolean, void> {
  const { files, onWarning } = options;
  const path = visit.path;
  let stat = visit.stat;
  for (let tries = 1;; tries++) {
    if (stat.type !== "file") {
      onWarning({ code: "vanished", path, message: `it became a ${stat.type}` });
      return false;
    }
    const { xattrs, missed } = readXattrs(files, descriptor);
    const sparse = findSparseMap(files, descriptor, stat);
    const plan = planMember(toEntry(path, stat, null), { sparse, xattrs });
    const small = plan.tarBytes <= frames.frameBytes;
    let complete: boolean;
    if (small) {
      if (plan.tarBytes > frames.room) yield frames.cut();
      complete = fillMember(files, descriptor, frames.window, plan);
    } else {
      complete = yield* streamMember(frames, files, descriptor, plan);
    }
    const after = files.statDescriptor(descriptor);
    const same = complete && isSame(stat, after);
    if (small && !same && tries < MAX_READ_TRIES) {
      stat = after;
      continue;
    }
    if (small) {
      frames.addRow(plan.entry, plan.tarBytes);
      frames.advance(plan.tarBytes, plan.contentBytes);
    }
    warnMissed(onWarning, path, missed);
    if (!same) warnChanged(onWarning, path, { stat, after, complete });
    return true;
  }
}

function warnMissed(
  onWarning: (warning: ApplicationWarning) => void,
  path: Uint8Array,
  missed: string | null,
): void {
  if (missed === null) return;
  onWarning({ code: "unread_xattr", path, message: `not stored: ${missed}` });
}

function warnChanged(
  onWarning: (warning: ApplicationWarning) => void,
  path: Uint8Array,
  seen: { readonly stat: FileStat; readonly after: FileStat; readonly complete: boolean },
): void {
  const before = seen.stat.sizeBytes;
  const grown = seen.complete && seen.after.sizeBytes > before &&
    seen.after.inode === seen.stat.inode;
  const message = `it had ${before} bytes and has ${seen.after.sizeBytes} now`;
  onWarning({ code: grown ? "grown" : "changed", path, message });
}

function isSame(a: FileStat, b: FileStat): boolean {
  return a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs && a.type === b.type;
}
