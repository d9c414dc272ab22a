// What stands where in an array directory, and the small file operations that setting it up needs.
//
//   array.json     geometry (geometry_file.ts); its presence makes the directory an array
//   array.lock     held shared by every attachment; removing and the last destage take it alone
//   setup.lock     held alone while somebody attaches, creates boards or removes the array
//   director.lock  held by the one process whose disk director runs the background pass
//   pending.map    which records are not on their devices (pending_header.ts)
//   faults.json    faults on demand (fault_file.ts); missing while there never were any
//   faults.fired   how often each of them fired (fault_counts.ts)
//   vN.dev         device files
//   memory/boardN  memory boards, unless they lie in a directory on tmpfs

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { Clock, Random, SharedMemories } from "../transport/runtime/runtime.ts";
import type { ArrayGeometry, DeviceGeometry } from "./geometry.ts";
import { decodeGeometry } from "./geometry_file.ts";
import { MAX_GEOMETRY_FILE_BYTES } from "./limits.ts";

/** What the composition root hands in. */
export interface ArrayParts {
  readonly files: Files;
  readonly memories: SharedMemories;
  readonly clock: Clock;
  readonly random: Random;
}

export class ArrayDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path.length > 1 ? path.replace(/\/+$/, "") : path;
  }

  get geometryPath(): string {
    return `${this.path}/array.json`;
  }

  /** What array.json is called while the array is being made. */
  get newGeometryPath(): string {
    return `${this.geometryPath}.new`;
  }

  get arrayLockPath(): string {
    return `${this.path}/array.lock`;
  }

  get setupLockPath(): string {
    return `${this.path}/setup.lock`;
  }

  get directorLockPath(): string {
    return `${this.path}/director.lock`;
  }

  get pendingPath(): string {
    return `${this.path}/pending.map`;
  }

  get faultsPath(): string {
    return `${this.path}/faults.json`;
  }

  get firedPath(): string {
    return `${this.path}/faults.fired`;
  }

  devicePath(device: DeviceGeometry): string {
    return `${this.path}/${device.name}.dev`;
  }

  memoryPath(geometry: ArrayGeometry): string {
    return geometry.memory.startsWith("/") ? geometry.memory : `${this.path}/${geometry.memory}`;
  }

  boardPath(geometry: ArrayGeometry, board: number): string {
    return `${this.memoryPath(geometry)}/board${board}`;
  }
}

/**
 * Reads the geometry of the array in `directory`.
 * @throws AgentError `not_found` (no array there) | `failed` | `damaged` | `unsupported`
 */
export function readGeometry(files: Files, directory: ArrayDirectory): ArrayGeometry {
  const path = directory.geometryPath;
  let bytes: Uint8Array;
  try {
    bytes = readWhole(files, path, MAX_GEOMETRY_FILE_BYTES + 1);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === "ENOENT" || error.errno === "ENOTDIR") {
      throw new AgentError(
        "not_found",
        `Cannot open array "${directory.path}": no array.json there, need an array directory`,
        { hint: `Create it with: agent array create ${directory.path} --volumes N --size SIZE` },
      );
    }
    throw notAccessible(directory.path, error);
  }
  return decodeGeometry(bytes, path);
}

/** Wraps a system error on the array directory. */
export function notAccessible(path: string, cause: SystemError): AgentError {
  const code = cause.errno === "ENOSPC" ? "no_space" : "failed";
  return new AgentError(
    code,
    `Cannot use array "${path}": ${cause.syscall} says ${cause.errno}, ` +
      "need a directory to read and write",
    { hint: "Check the owner and mode of the array directory.", cause },
  );
}

/** Runs `use` and turns what the system refuses into an AgentError about `path`. */
export function onArrayFiles<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof SystemError) throw notAccessible(path, error);
    throw error;
  }
}

/** At most `limitBytes` bytes of a file. @throws SystemError */
export function readWhole(files: Files, path: string, limitBytes: number): Uint8Array {
  const descriptor = files.open(AT_CWD, path, { access: "read" });
  try {
    const bytes = new Uint8Array(Math.min(limitBytes, files.statDescriptor(descriptor).sizeBytes));
    let done = 0;
    while (done < bytes.length) {
      const count = files.readAt(descriptor, done, bytes.subarray(done));
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  } finally {
    files.close(descriptor);
  }
}

/** Writes a file so that it is there whole or not at all. @throws SystemError */
export function writeWhole(files: Files, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`;
  const flags = { access: "write", create: true, truncate: true, mode: 0o600 } as const;
  const descriptor = files.open(AT_CWD, temporary, flags);
  try {
    files.writeAll(descriptor, bytes);
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
  files.rename(AT_CWD, temporary, AT_CWD, path);
}

export function exists(files: Files, path: string): boolean {
  try {
    files.stat(AT_CWD, path);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return false;
    throw error;
  }
}

/** Removes a file or an empty directory, if it is there. @throws SystemError */
export function removeIfThere(
  files: Files,
  path: string,
  options: { readonly directory: boolean } = { directory: false },
): void {
  try {
    files.unlink(AT_CWD, path, options);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "ENOENT") throw error;
  }
}
