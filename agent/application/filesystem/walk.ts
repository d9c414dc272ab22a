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
import { compileRules, DirectoryScope } from "./directory_scope.ts";
import { DirectoryStack } from "./directory_stack.ts";
import type { NameList } from "./name_list.ts";
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
  /** For tests: descriptors held at once. */
  readonly maxOpenDirectories?: number | undefined;
}

/** "vanished" for an object that is gone or another now, else "unreadable". */
function failureCode(error: SystemError): WarningCode {
  return ["ENOENT", "ESTALE", "ENOTDIR", "ELOOP"].includes(error.errno) ? "vanished" : "unreadable";
}

/**
 * Visits everything below the paths. Sockets are warned about and left out.
 * @throws AgentError `not_found` when a path does not exist, `usage` for a rule that cannot be,
 * before the first visit
 */
export function* walk(options: WalkOptions): Generator<Visit, void, void> {
  const { files, onWarning } = options;
  for (const path of options.paths) requirePath(files, path);
  const rules = compileRules(options.selection.exclude);
  const stack = new DirectoryStack(files, options.maxOpenDirectories);
  const encoder = new TextEncoder();
  try {
    for (const root of options.paths) {
      const around = DirectoryScope.around(root, { ...options, rules });
      const first = look(options, AT_CWD, root, encoder.encode(root));
      if (first === null) continue;
      const names = descend(stack, first, { around, onWarning });
      yield { directory: AT_CWD, name: root, path: first.path, stat: first.stat, depth: 0, names };
      while (stack.depth > 0) {
        const name = stack.nextName();
        if (name === null) {
          const lost = stack.pop();
          if (lost !== null) warn(onWarning, "unreadable", lost, "it was moved while it was read");
          continue;
        }
        const path = joinPath(stack.path, name);
        const { depth, descriptor: directory, scope } = stack;
        const visit = look(options, directory, name, path);
        if (visit === null) continue;
        const names = descend(stack, visit, { around: scope, onWarning });
        yield { directory, name, path, stat: visit.stat, depth, names };
      }
    }
  } finally {
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

function look(
  options: WalkOptions,
  directory: number,
  name: PathBytes,
  path: Uint8Array,
): Look | null {
  if (path.length > MAX_PATH_BYTES - 2) {
    warn(
      options.onWarning,
      "too_long",
      path.subarray(0, 512),
      `found ${path.length} bytes of path`,
    );
    return null;
  }
  try {
    const stat = options.files.stat(directory, name, { follow: false });
    if (stat.type !== "socket" && stat.type !== "unknown") return { directory, name, path, stat };
    warn(options.onWarning, "socket", path, `a ${stat.type} is not stored`);
  } catch (error) {
    warnOf(options.onWarning, path, error);
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
