// The producer of a file-system backup: the walk's visits as members of a tar stream in frames.
//
// With a parent only what changed since becomes a member: size, mtime, ctime, inode or type
// differ, or the parent noted it as unsettled. Unchanged files are neither opened nor read. What
// the parent has and the walk does not take is noted as deleted, and the directory it was in is
// stored with all its names for GNU tar. A hard link is stored again when its first name is, and
// a directory, after its content, when something in it was: GNU tar changes its time on the way,
// and a restore completes it only then. So the media of a directory are never older than its
// content's.
// What goes on from a backup that was cut has a parent, too: the tree that the cut one would
// present. Its members that are unchanged count as stored, but are not sent again.
// Memory: one frame, the names of the directories on one path, and the parent's rows of the same.

import { AgentError } from "../../../transport/ground/error.ts";
import type { Files, FileStat } from "../../../transport/runtime/files.ts";
import type { Clock } from "../../../transport/runtime/runtime.ts";
import type { Entry, IndexNote, Xattr } from "../../entry.ts";
import type { TarFrame } from "../../record.ts";
import type { SourceSelection } from "../../source_selection.ts";
import type { ApplicationWarning, Produced, Producer } from "../application.ts";
import { toEntry } from "../entry_of.ts";
import { FrameAssembler } from "../frame_assembler.ts";
import { BREATHE_ENTRIES, SETTLED_AFTER_MS } from "../limits.ts";
import { addNote, endStream, makeNoteRoom, planMember, streamMember } from "../member_stream.ts";
import { encodeDumpdir } from "./dumpdir.ts";
import { type FirstName, HardLinks } from "./hard_links.ts";
import { type OpenMember, sendRest } from "./open_member.ts";
import { ParentComparison } from "./parent_comparison.ts";
import type { ParentRow } from "./parent_rows.ts";
import { type ParentFeed, ParentTree } from "./parent_tree.ts";
import { ReadAhead } from "./read_ahead.ts";
import { type ReadXattrs, readXattrs, warnMissed } from "./read_xattrs.ts";
import { compareBytes, normalizeSourcePaths } from "./source_paths.ts";
import { type Stored, type StoredFile, storeFile } from "./store_file.ts";
import { type Visit, walk, warnOf } from "./walk.ts";

export interface ProduceFilesystemOptions extends SourceSelection {
  readonly files: Files;
  /** Absolute paths. */
  readonly paths: readonly string[];
  /** The rows of the parent of an incremental backup; none for a full one. */
  readonly parent?: ParentFeed | undefined;
  /** Tar bytes that a backup which was cut left, and this one goes on after. */
  readonly tarOffset?: number | undefined;
  /** The member in which that was cut, when it is gone on with. */
  readonly openMember?: OpenMember | undefined;
  /** Says how old a change is; without it none counts as recent. */
  readonly clock?: Pick<Clock, "wallMs"> | undefined;
  /** Tar bytes of a frame; 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
  readonly onWarning: (warning: ApplicationWarning) => void;
  readonly signal?: AbortSignal | undefined;
  /** For tests: directory descriptors held at once. */
  readonly maxOpenDirectories?: number | undefined;
}

/**
 * Produces the frames of a backup.
 * @throws AgentError `usage` | `not_found` before the first frame, `cancelled` by the signal,
 * `damaged` for rows of the parent that cannot be
 */
export function* produceFilesystem(options: ProduceFilesystemOptions): Producer {
  // Of an incremental backup most files are not read.
  const ahead = options.parent === undefined ? new ReadAhead(options.files) : undefined;
  const store = new Store(options, ahead);
  const visits = walk({
    files: options.files,
    paths: normalizeSourcePaths(options.paths),
    selection: options,
    onWarning: options.onWarning,
    passes: options.parent === undefined ? undefined : store.passes,
    ahead,
    maxOpenDirectories: options.maxOpenDirectories,
  });
  if (options.openMember !== undefined) yield* store.goOn(options.openMember);
  let count = 0;
  for (const visit of visits) {
    if (options.signal?.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
    if (visit === null) yield null;
    else {
      yield* store.visit(visit);
      if (++count % BREATHE_ENTRIES === 0) yield null;
    }
  }
  yield* store.finish();
  return store.produced();
}

type Steps<Result = void> = Generator<TarFrame | null, Result, void>;

/** What a visit is compared with. */
interface Before {
  readonly row: ParentRow | null;
  /** True when names of the parent are gone from the directory. */
  readonly lostNames: boolean;
}

/** A directory that the walk is inside of. */
interface Open {
  readonly path: Uint8Array;
  readonly stat: FileStat;
  /** Its attributes, when it was not stored: what is stored in it may ask for it yet. */
  readonly again: readonly Xattr[] | null;
  /** It counts as stored, by a backup that was cut. */
  readonly isKept: boolean;
  hasStored: boolean;
}

class Store {
  readonly frames: FrameAssembler;
  readonly #options: ProduceFilesystemOptions;
  readonly #ahead: ReadAhead | undefined;
  readonly #links = new HardLinks();
  readonly #comparison: ParentComparison | null;
  readonly #open: Open[] = [];
  #keptFiles = 0;
  #keptBytes = 0;
  /** The open member, when its file turned out to be another. */
  #void: Uint8Array | null = null;

  constructor(options: ProduceFilesystemOptions, ahead: ReadAhead | undefined) {
    this.frames = new FrameAssembler(options);
    this.#options = options;
    this.#ahead = ahead;
    const { parent } = options;
    this.#comparison = parent === undefined ? null : new ParentComparison(new ParentTree(parent));
  }

  /**
   * True for what the parent has as it is, so that a visit would find nothing to do: the rule of
   * `isUnchanged` for files with one name, of which a cut backup has neither the member nor a part.
   */
  readonly passes = (depth: number, name: Uint8Array, stat: FileStat): boolean =>
    this.#void === null && this.#comparison?.passSame(depth, name, stat) === true;

  *visit(visit: Visit): Steps {
    while (this.#open.length > visit.depth) yield* this.#leave();
    const taken = yield* this.#take(visit);
    const isStored = taken === "stored";
    const isKept = taken === "kept";
    const around = this.#open.at(-1);
    if (isStored && around !== undefined) around.hasStored = true;
    if (visit.stat.type !== "directory") return;
    // Its descriptor may be gone when it turns out that it is to be stored again.
    const again = isStored || this.#comparison === null ? null : this.#attributesOf(visit).xattrs;
    this.#open.push({ path: visit.path, stat: visit.stat, again, isKept, hasStored: false });
  }

  /** Sends the rest of the member in which a backup was cut. */
  *goOn(member: OpenMember): Steps {
    const { bytes, isWhole } = yield* sendRest(this.frames, this.#options.files, member);
    this.#keptBytes -= bytes;
    if (!isWhole) this.#void = member.row.entry.path;
  }

  /** What was made, when all visits are done. */
  produced(): Produced {
    const { files, bytes } = this.frames.totals;
    const kept = { files: this.#keptFiles, bytes: this.#keptBytes };
    return { files: files + kept.files, bytes: bytes + kept.bytes, kept };
  }

  *#take(visit: Visit): Steps<"stored" | "kept" | "passed"> {
    const lookedMs = this.#options.clock?.wallMs() ?? Infinity;
    const before = this.#comparison === null ? null : yield* this.#compare(visit, this.#comparison);
    const first = this.#links.firstName(visit.stat);
    const isVoid = this.#void !== null && compareBytes(this.#void, visit.path) === 0;
    if (before !== null && !isVoid && isUnchanged(visit.stat, before, first)) {
      if (first === null) this.#links.add(visit.stat, { path: visit.path, isStored: false });
      if (before.row?.kept !== true) return "passed";
      this.#countKept(visit.stat, first);
      return "kept";
    }
    const isRecent = lookedMs - Number(visit.stat.ctimeNs / 1_000_000n) < SETTLED_AFTER_MS;
    yield* makeNoteRoom(this.frames);
    const stored = first === null
      ? yield* this.#storeVisit(visit, isRecent)
      : yield* this.#storeLink(visit, first);
    if (stored === null || stored === "void") {
      // Otherwise zeros, or what the parent has, would count as its content.
      if (stored === "void" || isVoid || (before !== null && before.row !== null)) {
        yield* addNote(this.frames, { kind: "deleted", path: visit.path });
      }
      return "passed";
    }
    if (first === null) this.#links.add(stored.stat, { path: visit.path, isStored: true });
    if (!stored.isSettled || isRecent) {
      yield* addNote(this.frames, { kind: "unsettled", path: visit.path });
    }
    return "stored";
  }

  #countKept(stat: FileStat, first: FirstName | null): void {
    this.#keptFiles += 1;
    if (stat.type === "file" && first === null) {
      this.#keptBytes += Math.min(stat.sizeBytes, stat.blocks512 * 512 || stat.sizeBytes);
    }
  }

  *#leave(): Steps {
    const left = this.#open.pop();
    if (left === undefined || left.again === null || !left.hasStored) return;
    yield* this.#storePlain(toEntry(left.path, left.stat, null), left.again);
    if (left.isKept) this.#keptFiles -= 1;
    const around = this.#open.at(-1);
    if (around !== undefined) around.hasStored = true;
  }

  *finish(): Steps {
    while (this.#open.length > 0) yield* this.#leave();
    if (this.#comparison !== null) yield* this.#noteAll(this.#comparison.finish());
    yield* endStream(this.frames);
  }

  *#compare(visit: Visit, comparison: ParentComparison): Steps<Before> {
    const row = yield* this.#noteAll(comparison.visit(visit));
    if (visit.stat.type !== "directory") return { row, lostNames: false };
    return { row, lostNames: yield* this.#noteAll(comparison.enter(visit)) };
  }

  *#noteAll<Result>(notes: Generator<IndexNote | null, Result, void>): Steps<Result> {
    for (;;) {
      const step = notes.next();
      if (step.done === true) return step.value;
      if (step.value === null) yield null;
      else yield* addNote(this.frames, step.value);
    }
  }

  *#storeVisit(visit: Visit, isRecent: boolean): Steps<StoredFile> {
    const { stat, path, directory, name } = visit;
    const { files, onWarning } = this.#options;
    if (stat.type === "file" && stat.sizeBytes > 0) {
      return yield* storeFile(
        this.frames,
        { files, onWarning, isRecent, ahead: this.#ahead },
        visit,
      );
    }
    let target: Uint8Array | null = null;
    try {
      if (stat.type === "symlink") target = files.readLink(directory, name);
    } catch (error) {
      warnOf(onWarning, path, error);
      return null;
    }
    const names = this.#comparison === null ? null : visit.names;
    const dumpdir = names === null ? undefined : encodeDumpdir(names);
    const { xattrs, missed } = this.#attributesOf(visit);
    yield* this.#storePlain(toEntry(path, stat, target), xattrs, dumpdir);
    return { stat, isSettled: missed === null };
  }

  #attributesOf(visit: Visit): ReadXattrs {
    const read = readXattrs(this.#options.files, visit);
    warnMissed(this.#options.onWarning, visit.path, read.missed);
    return read;
  }

  *#storeLink(visit: Visit, first: FirstName): Steps<Stored> {
    const entry = toEntry(visit.path, visit.stat, null);
    yield* this.#storePlain({
      ...entry,
      type: "hardlink",
      sizeBytes: 0,
      target: first.path,
      rdev: null,
    }, []);
    return { stat: visit.stat, isSettled: true };
  }

  /** Stores an entry without content. */
  *#storePlain(entry: Entry, xattrs: readonly Xattr[], dumpdir?: Uint8Array): Steps {
    const { frames } = this;
    const plan = planMember(entry, { sparse: null, xattrs, dumpdir });
    if (plan.tarBytes > frames.room && !frames.isEmpty) yield frames.cut();
    // No descriptor: there is no content to read.
    yield* streamMember(frames, this.#options.files, -1, plan);
  }
}

function isUnchanged(
  stat: FileStat,
  { row, lostNames }: Before,
  first: FirstName | null,
): boolean {
  if (row === null || row.unsettled || lostNames) return false;
  const same = row.inode === stat.inode && row.mtimeNs === stat.mtimeNs &&
    row.ctimeNs === stat.ctimeNs;
  if (!same) return false;
  if (first !== null) {
    return row.type === "hardlink" && !first.isStored && row.target !== null &&
      compareBytes(row.target, first.path) === 0;
  }
  return row.type === stat.type && (stat.type !== "file" || row.sizeBytes === stat.sizeBytes);
}
