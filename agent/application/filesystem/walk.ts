// The walk over the source: depth first, each directory before its content, names in the order of
// their bytes, so that two walks of the same tree give the same sequence.
//
// Invariants: memory is bounded by the names of the directories on one path; every step opens
// one name in an open directory without following links, so that neither long paths nor a tree
// that changes can lead it astray; what cannot be looked at is a warning, never an end.

import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, SystemError } from "../../../transport/runtime/files.ts";
import type { Files, FileStat, PathBytes } from "../../../transport/runtime/files.ts";
import { MAX_PATH_BYTES } from "../../tar/mod.ts";
import type { ApplicationWarning, WarningCode } from "../application.ts";
import type { SourceSelection } from "../../source_selection.ts";
import { BREATHE_ENTRIES } from "../limits.ts";
import { compileRules, DirectoryScope } from "./directory_scope.ts";
import { DirectoryStack } from "./directory_stack.ts";
import type { NameList } from "./name_list.ts";
import type { ReadAhead } from "./read_ahead.ts";
import { joinPath } from "./source_paths.ts";

/** One object of the source. `directory` and `name` reach it until the next step of the walk. */
export interface Visit {
  readonly directory: number;
  readonly name: PathBytes;
  /** Full path. */
  readonly path: Uint8Array;
  readonly stat: FileStat;
  /** Directories around it that the walk has entered: 0 for the source's paths. */
  readonly depth: number;
  /** What is taken of a directory, listed after the look at it; null when it cannot be listed. */
  readonly names: NameList | null;
}

type Look = Omit<Visit, "depth" | "names">;

export interface WalkOptions {
  readonly files: Files;
  /** Canonical (source_paths.ts). The paths themselves are visited, their parents are not. */
  readonly paths: readonly string[];
  readonly selection: SourceSelection;
  readonly onWarning: (warning: ApplicationWarning) => void;
  /**
   * Asked of everything in a directory but directories; what it is true for is not visited. It is
   * asked for most objects of an incremental backup, before a path or a visit is made of them.
   */
  readonly passes?: ((depth: number, name: Uint8Array, stat: FileStat) => boolean) | undefined;
  /** Opens the files that are to be visited, when most of them will be read. */
  readonly ahead?: ReadAhead | undefined;
  /** For tests: descriptors held at once. */
  readonly maxOpenDirectories?: number | undefined;
}

/** "vanished" for an object that is gone or another now, else "unreadable". */
function failureCode(error: SystemError): WarningCode {
  return ["ENOENT", "ESTALE", "ENOTDIR", "ELOOP"].includes(error.errno) ? "vanished" : "unreadable";
}

/**
 * Visits everything below the paths. Sockets are warned about and left out. Null now and then when
 * much was passed over, to let others run.
 * @throws AgentError `not_found` when a path does not exist, `usage` for a rule that cannot be,
 * before the first visit
 */
export function* walk(options: WalkOptions): Generator<Visit | null, void, void> {
  const { files, onWarning, passes } = options;
  for (const path of options.paths) requirePath(files, path);
  const rules = compileRules(options.selection.exclude);
  const stack = new DirectoryStack(files, options.maxOpenDirectories);
  const encoder = new TextEncoder();
  let passed = 0;
  try {
    for (const root of options.paths) {
      const around = DirectoryScope.around(root, { ...options, rules });
      const path = encoder.encode(root);
      if (isTooLong(path, onWarning)) continue;
      const stat = look(options, { directory: AT_CWD, name: root }, () => path);
      if (stat === null) continue;
      const first = { directory: AT_CWD, name: root, path, stat };
      const names = descend(stack, first, { around, onWarning });
      yield { ...first, depth: 0, names };
      while (stack.depth > 0) {
        const name = stack.nextName();
        if (name === null) {
          const lost = stack.pop();
          if (lost !== null) warn(onWarning, "unreadable", lost, "it was moved while it was read");
          continue;
        }
        options.ahead?.moveTo(stack.place);
        const { depth, descriptor: directory, scope } = stack;
        const stat = look(options, { directory, name }, () => joinPath(stack.path, name));
        if (stat === null) continue;
        if (stat.type !== "directory" && passes?.(depth, name, stat) === true) {
          if (++passed % BREATHE_ENTRIES === 0) yield null;
          continue;
        }
        const path = joinPath(stack.path, name);
        if (isTooLong(path, onWarning)) continue;
        const visit = { directory, name, path, stat };
        const names = descend(stack, visit, { around: scope, onWarning });
        yield { ...visit, depth, names };
      }
    }
  } finally {
    options.ahead?.close();
    stack.close();
  }
}

function requirePath(files: Files, path: string): void {
  try {
    files.stat(AT_CWD, path, { follow: false });
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    const found = cause.errno === "ENOENT" ? "no such file or directory" : cause.errno;
    throw new AgentError("failed", `Cannot back up "${path}": found ${found}, need a path`, {
      cause,
      hint: "Name a path that exists on the client.",
    });
  }
}

function isTooLong(path: Uint8Array, onWarning: WalkOptions["onWarning"]): boolean {
  if (path.length <= MAX_PATH_BYTES - 2) return false;
  warn(onWarning, "too_long", path.subarray(0, 512), `found ${path.length} bytes of path`);
  return true;
}

/** @returns null, with a warning, for what is not taken */
function look(
  { files, onWarning }: WalkOptions,
  { directory, name }: Pick<Visit, "directory" | "name">,
  pathOf: () => Uint8Array,
): FileStat | null {
  try {
    const stat = files.stat(directory, name, { follow: false });
    if (stat.type !== "socket" && stat.type !== "unknown") return stat;
    warn(onWarning, "socket", pathOf(), `a ${stat.type} is not stored`);
  } catch (error) {
    warnOf(onWarning, pathOf(), error);
  }
  return null;
}

function descend(
  stack: DirectoryStack,
  visit: Look,
  { around, onWarning }: Pick<WalkOptions, "onWarning"> & { readonly around: DirectoryScope },
): NameList | null {
  if (visit.stat.type !== "directory") return null;
  try {
    return stack.push(visit, around);
  } catch (error) {
    warnOf(onWarning, visit.path, error);
    return null;
  }
}

function warn(
  onWarning: (warning: ApplicationWarning) => void,
  code: WarningCode,
  path: Uint8Array,
  message: string,
): void {
  onWarning({ code, path, message });
}

/** Makes a warning of a failed system call; anything else is thrown on. */
export function warnOf(
  onWarning: (warning: ApplicationWarning) => void,
  path: Uint8Array,
  error: unknown,
): void {
  if (!(error instanceof SystemError)) throw error;
  onWarning({ code: failureCode(error), path, message: `${error.syscall}: ${error.errno}` });
}
