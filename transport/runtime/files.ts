// POSIX files by byte path, as libc gives them: types only (libc_files.ts implements them by FFI).
//
// The runtimes' own calls lose nanoseconds and cannot open names that are not UTF-8 (measured), so
// walk, stat, open, create and set times all go through here. Calls are synchronous: they belong
// on a job's worker thread. A failure throws SystemError with the errno's name in `errno`.

/** A path or name: text, or raw bytes without NUL. */
export type PathBytes = string | Uint8Array;

/** The current directory, as the *at calls name it. */
export const AT_CWD = -100;

export type FileType =
  | "file"
  | "directory"
  | "symlink"
  | "fifo"
  | "socket"
  | "character"
  | "block"
  | "unknown";

/**
 * What statx says. Times are nanoseconds since 1970 and may be negative. No plain object: times and
 * inode are made when they are asked for, so a spread lacks them.
 */
export interface FileStat {
  readonly type: FileType;
  /** Permission bits, setuid, setgid and sticky included (0o7777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Allocated 512-byte units: less than the size means holes. */
  readonly blocks512: number;
  readonly linkCount: number;
  readonly inode: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Of a device node itself. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly atimeNs: bigint;
  /** The times as seconds, rounded down, and the rest: quicker than bigints, exact if safe. */
  readonly mtimeSeconds: number;
  readonly mtimeRestNs: number;
  readonly ctimeSeconds: number;
  readonly ctimeRestNs: number;
}

export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly type: FileType;
}

/** Flags of `open`. */
export interface OpenFlags {
  readonly access: "read" | "write" | "read-write";
  readonly create?: boolean;
  /** Fail with EEXIST when it is there. */
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
  readonly append?: boolean;
  readonly directory?: boolean;
  readonly noFollow?: boolean;
  /** Leave the access time alone; ignored where the kernel does not permit it. */
  readonly noAtime?: boolean;
  readonly direct?: boolean;
  /** For a fifo: calls that would wait throw EAGAIN, and opening it to write ENXIO. */
  readonly nonBlocking?: boolean;
  /** Permission bits of a created file; umask applies. */
  readonly mode?: number;
}

export class SystemError extends Error {
  /** "ENOENT", "EACCES", … ("E<number>" when unknown). */
  readonly errno: string;
  readonly syscall: string;
  constructor(errno: string, syscall: string, path: string) {
    super(`${syscall} ${path}: ${errno}`);
    this.name = "SystemError";
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** What has extended attributes: an open file or directory, or a name (a link is not followed). */
export type XattrSubject = number | { readonly directory: number; readonly name: PathBytes };

/**
 * Extended attributes by their full names ("user.x", "system.posix_acl_access", …): bytes without
 * NUL, as the values are bytes. An open file of O_PATH has none.
 */
export interface Xattrs {
  /** Names in the order of the kernel; none where the file system has no such thing. */
  list(subject: XattrSubject): readonly Uint8Array[];
  /** @returns null when there is none of that name */
  get(subject: XattrSubject, name: Uint8Array): Uint8Array | null;
  /** Makes it or replaces its value. */
  set(subject: XattrSubject, name: Uint8Array, value: Uint8Array): void;
  /** Does nothing when there is none of that name. */
  remove(subject: XattrSubject, name: Uint8Array): void;
}

/** `directory` arguments are descriptors or AT_CWD; descriptors are the operating system's. */
export interface Files {
  readonly xattrs: Xattrs;
  open(directory: number, path: PathBytes, flags: OpenFlags): number;
  close(descriptor: number): void;
  /** @returns count of bytes, 0 at end of file */
  read(descriptor: number, into: Uint8Array): number;
  readAt(descriptor: number, offsetBytes: number, into: Uint8Array): number;
  /** @returns count of bytes that were taken */
  write(descriptor: number, from: Uint8Array): number;
  /** Bytes that wait to be read from a fifo. */
  unreadBytes(descriptor: number): number;
  /** Asks for room for so many bytes in a fifo; where the kernel refuses it stays as it is. */
  widenPipe(descriptor: number, sizeBytes: number): void;
  /** Writes all of `from`. */
  writeAll(descriptor: number, from: Uint8Array): void;
  writeAllAt(descriptor: number, offsetBytes: number, from: Uint8Array): void;
  truncate(descriptor: number, sizeBytes: number): void;
  sync(descriptor: number): void;
  /**
   * Begins to write a range to the device, so that a later `sync` waits less; nothing is durable by
   * it. What fails there, `sync` tells.
   */
  startSync(descriptor: number, offsetBytes: number, sizeBytes: number): void;
  /** Begins to read a range into the kernel's cache, so that a later read of it waits less. */
  startRead(descriptor: number, offsetBytes: number, sizeBytes: number): void;
  stat(directory: number, path: PathBytes, options?: { follow?: boolean }): FileStat;
  statDescriptor(descriptor: number): FileStat;
  /** Entries in the order of the kernel, without "." and "..". */
  list(descriptor: number): DirectoryEntry[];
  /**
   * Names and types one by one, for directories of any size; a name's bytes are valid within the
   * call. File systems that do not tell types in their directories say "unknown".
   */
  visitNames(descriptor: number, visit: (name: Uint8Array, type: FileType) => void): void;
  readLink(directory: number, path: PathBytes): Uint8Array;
  makeDirectory(directory: number, path: PathBytes, mode: number): void;
  symlink(target: PathBytes, directory: number, path: PathBytes): void;
  link(fromDirectory: number, from: PathBytes, toDirectory: number, to: PathBytes): void;
  rename(fromDirectory: number, from: PathBytes, toDirectory: number, to: PathBytes): void;
  unlink(directory: number, path: PathBytes, options?: { directory?: boolean }): void;
  /** Makes a fifo, socket or device node. */
  makeNode(
    directory: number,
    path: PathBytes,
    type: "fifo" | "character" | "block",
    mode: number,
    rdev: { major: number; minor: number },
  ): void;
  /** @param path null: of what the descriptor is, as below */
  changeOwner(directory: number, path: PathBytes | null, uid: number, gid: number): void;
  /** Follows a symlink in the last component (Linux has no modes of them). */
  changeMode(directory: number, path: PathBytes | null, mode: number): void;
  /** Sets access and modification time in nanoseconds, of a symlink itself too. */
  setTimes(directory: number, path: PathBytes | null, atimeNs: bigint, mtimeNs: bigint): void;
  /** Next data or hole at or after `offsetBytes`; null when there is none (ENXIO). */
  seek(descriptor: number, offsetBytes: number, what: "data" | "hole"): number | null;
  /** Locks the whole open file. @returns false when another holder has it and `wait` is false */
  lock(descriptor: number, kind: "shared" | "exclusive", options: { wait: boolean }): boolean;
  unlock(descriptor: number): void;
  /** Free bytes for us, and the file system's type number (f_type), at `path`. */
  fileSystem(path: PathBytes): { freeBytes: number; type: number };
}
