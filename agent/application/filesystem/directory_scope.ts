// What a backup takes of one directory: the rules that hold in it, and which of its names they
// leave. A walk makes one for each directory that it enters, from that of the directory around it.
//
// A name is decided on once, when its directory is listed, so that the walk, the comparison with
// a parent and the names that GNU tar learns agree. The rules of the job decide first, then those
// of ignore files, the innermost first. A path that was asked for is taken itself, whatever the
// rules say of it or of what is above it.
//
// An ignore file that cannot be used leaves out nothing, so that what is lost is space. Like a tag
// that cannot be read it is named when it is stored itself.

import { AgentError } from "../../../transport/ground/error.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files, FileStat, FileType } from "../../../transport/runtime/files.ts";
import type { SourceSelection } from "../../source_selection.ts";
import type { ApplicationWarning } from "../application.ts";
import { MAX_IGNORE_FILE_BYTES } from "../limits.ts";
import { ExcludeRules, ruleLines } from "./exclude_rules.ts";
import { type Characters, charactersOf } from "./name_pattern.ts";
import type { NameList } from "./name_list.ts";
import { openSource } from "./open_source.ts";
import { compareBytes, joinPath } from "./source_paths.ts";

const SLASH = 0x2f;
const CACHE_TAG = new TextEncoder().encode("CACHEDIR.TAG");
/** What such a file begins with, by https://bford.info/cachedir. */
const CACHE_SIGNATURE = new TextEncoder().encode("Signature: 8a477f597d28d172789f06886806bc55");

export interface ScopeOptions {
  readonly files: Files;
  readonly selection: SourceSelection;
  /** Those of the selection, compiled. */
  readonly rules: ExcludeRules;
  readonly onWarning: (warning: ApplicationWarning) => void;
}

/** A directory that was opened and listed. */
export interface ListedDirectory {
  readonly path: Uint8Array;
  readonly descriptor: number;
  readonly stat: FileStat;
  /** Sorted; what is left out is taken from it. */
  readonly names: NameList;
}

/** Rules of an ignore file, and those of the ones around it. */
interface Layer {
  readonly rules: ExcludeRules;
  /** How many components lead to its directory. */
  readonly from: number;
  readonly outer: Layer | null;
}

/** What all scopes of one path that was asked for share. */
interface Walked extends ScopeOptions {
  readonly ignoreFile: Uint8Array | null;
  /** Components of the directory that was entered last: a stack, for paths may be very long. */
  readonly path: Characters[];
}

interface Place {
  /** How many components the path has. */
  readonly depth: number;
  readonly layer: Layer | null;
  /** File system of the path that was asked for; null around it. */
  readonly device: string | null;
}

export class DirectoryScope {
  readonly #walked: Walked;
  readonly #place: Place;

  private constructor(walked: Walked, place: Place) {
    this.#walked = walked;
    this.#place = place;
  }

  /** Around a path that was asked for. */
  static around(root: string, options: ScopeOptions): DirectoryScope {
    const encoder = new TextEncoder();
    const { ignoreFile } = options.selection;
    const path = root.split("/").slice(1, -1).map((name) => charactersOf(encoder.encode(name)));
    const walked = {
      ...options,
      path,
      ignoreFile: ignoreFile === null ? null : encoder.encode(ignoreFile),
    };
    return new DirectoryScope(walked, { depth: path.length, layer: null, device: null });
  }

  /**
   * Takes what is left out from the names of a directory in this one. Directories are entered in
   * the order of a walk.
   * @returns what holds in it
   */
  enter(directory: ListedDirectory): DirectoryScope {
    const { selection, path } = this.#walked;
    const name = directory.path.subarray(directory.path.lastIndexOf(SLASH) + 1);
    path.length = this.#place.depth;
    if (name.length > 0) path.push(charactersOf(name));
    const depth = path.length;
    const here = deviceOf(directory.stat);
    const device = this.#place.device ?? here;
    const rules = this.#ignoreRules(directory);
    const outer = this.#place.layer;
    const layer = rules === null ? outer : { rules, from: depth, outer };
    const scope = new DirectoryScope(this.#walked, { depth, layer, device });
    if (selection.oneFileSystem && here !== device) directory.names.retain(() => false);
    else if (selection.excludeCaches && this.#isCache(directory)) {
      directory.names.retain((name) => compareBytes(name, CACHE_TAG) === 0);
    } else if (scope.#leavesOutSome()) {
      directory.names.retain((name, type) => scope.#takes(directory, name, type));
    }
    return scope;
  }

  #leavesOutSome(): boolean {
    const { rules, selection: { oneFileSystem, excludeLargerThan } } = this.#walked;
    return !rules.isEmpty || this.#place.layer !== null || oneFileSystem ||
      excludeLargerThan !== null;
  }

  #takes(directory: ListedDirectory, name: Uint8Array, told: FileType): boolean {
    const { oneFileSystem, excludeLargerThan: limit } = this.#walked.selection;
    let type = told;
    if (told === "unknown" || oneFileSystem || (limit !== null && told === "file")) {
      const stat = this.#look(directory, name);
      if (stat === null) return true; // The walk says what is wrong with it.
      ({ type } = stat);
      if (limit !== null && type === "file" && stat.sizeBytes > limit) return false;
      // A directory where another file system is mounted is taken, empty.
      const isElsewhere = oneFileSystem && deviceOf(stat) !== this.#place.device;
      if (isElsewhere && type !== "directory") return false;
    }
    return !this.#isExcluded(name, type === "directory");
  }

  #isExcluded(name: Uint8Array, isDirectory: boolean): boolean {
    const { rules, path } = this.#walked;
    path.push(charactersOf(name));
    let decision = rules.decide({ path, from: 0, isDirectory });
    for (let layer = this.#place.layer; decision === null && layer !== null; layer = layer.outer) {
      decision = layer.rules.decide({ path, from: layer.from, isDirectory });
    }
    path.pop();
    return decision === "exclude";
  }

  #look(directory: ListedDirectory, name: Uint8Array): FileStat | null {
    try {
      return this.#walked.files.stat(directory.descriptor, name, { follow: false });
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    }
  }

  #isCache(directory: ListedDirectory): boolean {
    const start = this.#read(directory, CACHE_TAG, CACHE_SIGNATURE.length);
    return start !== null && compareBytes(start, CACHE_SIGNATURE) === 0;
  }

  /** The rules of the directory's own ignore file, null when it has none that can be used. */
  #ignoreRules(directory: ListedDirectory): ExcludeRules | null {
    const { ignoreFile } = this.#walked;
    if (ignoreFile === null) return null;
    const content = this.#read(directory, ignoreFile, MAX_IGNORE_FILE_BYTES + 1);
    if (content === null) return null;
    if (content.length > MAX_IGNORE_FILE_BYTES) {
      this.#warn(
        directory,
        `found more than ${MAX_IGNORE_FILE_BYTES} bytes: it leaves out nothing`,
      );
      return null;
    }
    const rules = new ExcludeRules(ruleLines(content));
    const [bad] = rules.bad;
    if (bad !== undefined) {
      const more = rules.bad.length === 1 ? "" : ` (and ${rules.bad.length - 1} more)`;
      this.#warn(directory, `"${bad.rule}" is no rule: found ${bad.found}${more}`);
    }
    return rules;
  }

  /** The start of a regular file, null when there is none of that name or it cannot be read. */
  #read(directory: ListedDirectory, name: Uint8Array, maxBytes: number): Uint8Array | null {
    if (!directory.names.has(name)) return null;
    const stat = this.#look(directory, name);
    if (stat?.type !== "file") return null;
    const { files } = this.#walked;
    let descriptor = -1;
    try {
      descriptor = openSource(files, directory.descriptor, name);
      const into = new Uint8Array(Math.min(maxBytes, stat.sizeBytes));
      let fill = 0;
      let count = -1;
      while (count !== 0 && fill < into.length) {
        count = files.readAt(descriptor, fill, into.subarray(fill));
        fill += count;
      }
      return into.subarray(0, fill);
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    } finally {
      if (descriptor >= 0) files.close(descriptor);
    }
  }

  #warn(directory: ListedDirectory, message: string): void {
    const { ignoreFile, onWarning } = this.#walked;
    const path = joinPath(directory.path, ignoreFile ?? new Uint8Array(0));
    onWarning({ code: "bad_ignore_file", path, message });
  }
}

/** The rules of a job. @throws AgentError `usage` for one that cannot be */
export function compileRules(texts: readonly string[]): ExcludeRules {
  const encoder = new TextEncoder();
  const rules = new ExcludeRules(texts.map((text) => encoder.encode(text)));
  const [bad] = rules.bad;
  if (bad === undefined) return rules;
  const message = `Cannot exclude by "${bad.rule}": found ${bad.found}, need a rule`;
  throw new AgentError("usage", message, {
    hint: 'Write a name, as "*.tmp", or a path from "/" on, as "/srv/**/cache/".',
  });
}

function deviceOf({ deviceMajor, deviceMinor }: FileStat): string {
  return `${deviceMajor}:${deviceMinor}`;
}
