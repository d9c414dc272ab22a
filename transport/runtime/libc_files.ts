// Files on libc: what files.ts promises, by the *at calls with byte paths.
//
// Invariants:
//  1. All I/O on a descriptor goes through libc, since a runtime does not know our descriptors.
//  2. Scratch buffers belong to one instance, and an instance to one thread: no call is async, so
//     a buffer is never in use twice.
//  3. Short reads and writes go on; EINTR is tried again; everything else throws SystemError.

import { assert } from "../ground/assert.ts";
import { EAGAIN, EINTR, ENXIO, EPERM, errnoName } from "./errno.ts";
import type { DirectoryEntry, Files, FileStat, FileType, OpenFlags, PathBytes } from "./files.ts";
import { SystemError } from "./files.ts";
import type { Architecture, Libc } from "./libc.ts";
import { LibcXattrs } from "./libc_xattrs.ts";
import { DIRECTORY_BUFFER_BYTES, IO_BYTES, PATH_BYTES } from "./limits.ts";
import { PathBuffer, pathText } from "./path_bytes.ts";
import {
  decodeDirents,
  decodeStatfs,
  decodeStatx,
  direntType,
  encodeDevice,
  encodeTimes,
  STATFS_BYTES,
  STATX_BYTES,
  TIMESPECS_BYTES,
  typeBits,
  visitDirents,
} from "./stat_layout.ts";

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const SYNC_FILE_RANGE_WRITE = 2;
const POSIX_FADV_WILLNEED = 3;
const SEEK_SET = 0;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const LOCK_SHARED = 1;
const LOCK_EXCLUSIVE = 2;
const LOCK_NON_BLOCKING = 4;
const LOCK_UNLOCK = 8;
const O_CREATE = 0o100;
const O_EXCLUSIVE = 0o200;
const O_TRUNCATE = 0o1000;
const O_APPEND = 0o2000;
const O_NO_ATIME = 0o1000000;
const O_NON_BLOCKING = 0o4000;
const O_CLOSE_ON_EXEC = 0o2000000;

/** The ioctl that counts what waits to be read, into an int. */
const FIONREAD = 0x541b;

/** The system call `fcntl`, and what sets the size of a pipe by it. */
const SYS_FCNTL: Readonly<Record<Architecture, number>> = { x86_64: 72, aarch64: 25 };
const F_SETPIPE_SZ = 1031;

/** The id that no user and no group has. */
const NO_ID = 0xffff_ffff;

/** The open flags whose bits differ between the architectures. */
const O_BY_ARCHITECTURE: Readonly<
  Record<Architecture, { directory: number; noFollow: number; direct: number }>
> = {
  x86_64: { directory: 0o200000, noFollow: 0o400000, direct: 0o40000 },
  aarch64: { directory: 0o40000, noFollow: 0o100000, direct: 0o200000 },
};

export class LibcFiles implements Files {
  readonly xattrs: LibcXattrs;
  readonly #libc: Libc;
  readonly #path = new PathBuffer();
  readonly #otherPath = new PathBuffer();
  readonly #stat = new Uint8Array(STATX_BYTES);
  readonly #statView = new DataView(this.#stat.buffer);
  readonly #times = new Uint8Array(TIMESPECS_BYTES);
  readonly #timesView = new DataView(this.#times.buffer);
  readonly #linkTarget = new Uint8Array(PATH_BYTES);
  readonly #directory = new Uint8Array(DIRECTORY_BUFFER_BYTES);
  readonly #directoryView = new DataView(this.#directory.buffer);

  constructor(libc: Libc) {
    this.#libc = libc;
    this.xattrs = new LibcXattrs(libc);
  }

  open(directory: number, path: PathBytes, flags: OpenFlags): number {
    const bits = openBits(flags, this.#libc.architecture);
    const bytes = this.#path.set(path);
    const mode = flags.mode ?? 0o666;
    for (let noAtime = flags.noAtime === true ? O_NO_ATIME : 0;;) {
      const descriptor = this.#libc.openat(directory, bytes, bits | noAtime, mode);
      if (descriptor >= 0) return descriptor;
      const errno = this.#libc.errno();
      // Only the owner of a file may leave its access time alone.
      if (errno === EPERM && noAtime !== 0) noAtime = 0;
      else if (errno !== EINTR) throw systemError(errno, "openat", path);
    }
  }

  close(descriptor: number): void {
    // Linux has freed the descriptor even when close fails, so EINTR must not be tried again.
    if (this.#libc.close(descriptor) >= 0) return;
    const errno = this.#libc.errno();
    if (errno !== EINTR) throw systemError(errno, "close", descriptor);
  }

  read(descriptor: number, into: Uint8Array): number {
    if (into.length === 0) return 0;
    for (;;) {
      const count = this.#libc.read(descriptor, into, Math.min(into.length, IO_BYTES));
      if (count >= 0) return count;
      this.#unlessInterrupted("read", descriptor);
    }
  }

  readAt(descriptor: number, offsetBytes: number, into: Uint8Array): number {
    assertOffset(offsetBytes);
    let done = 0;
    while (done < into.length) {
      const rest = done === 0 ? into : into.subarray(done);
      const size = Math.min(rest.length, IO_BYTES);
      const count = this.#libc.pread(descriptor, rest, size, offsetBytes + done);
      if (count === 0) break;
      if (count > 0) done += count;
      else this.#unlessInterrupted("pread", descriptor);
    }
    return done;
  }

  write(descriptor: number, from: Uint8Array): number {
    for (;;) {
      const count = this.#libc.write(descriptor, from, Math.min(from.length, IO_BYTES));
      if (count > 0) return count;
      if (count === 0) throw new SystemError("EIO", "write", `descriptor ${descriptor}`);
      this.#unlessInterrupted("write", descriptor);
    }
  }

  unreadBytes(descriptor: number): number {
    const into = new Uint8Array(4);
    if (this.#libc.ioctl(descriptor, FIONREAD, into) < 0) throw this.#failure("ioctl", descriptor);
    return new DataView(into.buffer).getInt32(0, true);
  }

  widenPipe(descriptor: number, sizeBytes: number): void {
    const call = SYS_FCNTL[this.#libc.architecture];
    this.#libc.syscall(call, descriptor, F_SETPIPE_SZ, sizeBytes, 0, 0);
  }

  writeAll(descriptor: number, from: Uint8Array): void {
    for (let done = 0; done < from.length;) {
      done += this.write(descriptor, done === 0 ? from : from.subarray(done));
    }
  }

  writeAllAt(descriptor: number, offsetBytes: number, from: Uint8Array): void {
    assertOffset(offsetBytes);
    for (let done = 0; done < from.length;) {
      const rest = done === 0 ? from : from.subarray(done);
      const size = Math.min(rest.length, IO_BYTES);
      const count = this.#libc.pwrite(descriptor, rest, size, offsetBytes + done);
      if (count > 0) done += count;
      else if (count === 0) throw new SystemError("EIO", "pwrite", `descriptor ${descriptor}`);
      else this.#unlessInterrupted("pwrite", descriptor);
    }
  }

  truncate(descriptor: number, sizeBytes: number): void {
    assertOffset(sizeBytes);
    while (this.#libc.ftruncate(descriptor, sizeBytes) < 0) {
      this.#unlessInterrupted("ftruncate", descriptor);
    }
  }

  sync(descriptor: number): void {
    while (this.#libc.fsync(descriptor) < 0) this.#unlessInterrupted("fsync", descriptor);
  }

  startSync(descriptor: number, offsetBytes: number, sizeBytes: number): void {
    this.#libc.sync_file_range(descriptor, offsetBytes, sizeBytes, SYNC_FILE_RANGE_WRITE);
  }

  startRead(descriptor: number, offsetBytes: number, sizeBytes: number): void {
    this.#libc.posix_fadvise(descriptor, offsetBytes, sizeBytes, POSIX_FADV_WILLNEED);
  }

  stat(directory: number, path: PathBytes, options: { follow?: boolean } = {}): FileStat {
    const flags = options.follow === true ? 0 : AT_SYMLINK_NOFOLLOW;
    const bytes = this.#path.set(path);
    const result = this.#libc.statx(directory, bytes, flags, STATX_BASIC_STATS, this.#stat);
    if (result < 0) throw this.#failure("statx", path);
    return decodeStatx(this.#statView);
  }

  statDescriptor(descriptor: number): FileStat {
    const empty = this.#path.set("");
    const mask = STATX_BASIC_STATS;
    const result = this.#libc.statx(descriptor, empty, AT_EMPTY_PATH, mask, this.#stat);
    if (result < 0) throw this.#failure("statx", descriptor);
    return decodeStatx(this.#statView);
  }

  list(descriptor: number): DirectoryEntry[] {
    this.#seek(descriptor, 0, SEEK_SET);
    const entries: DirectoryEntry[] = [];
    for (;;) {
      const count = this.#libc.getdents64(descriptor, this.#directory, DIRECTORY_BUFFER_BYTES);
      if (count < 0) throw this.#failure("getdents64", descriptor);
      if (count === 0) return entries;
      decodeDirents(this.#directory, this.#directoryView, count, entries);
    }
  }

  visitNames(descriptor: number, visit: (name: Uint8Array, type: FileType) => void): void {
    this.#seek(descriptor, 0, SEEK_SET);
    const bytes = this.#directory;
    for (;;) {
      const count = this.#libc.getdents64(descriptor, bytes, DIRECTORY_BUFFER_BYTES);
      if (count < 0) throw this.#failure("getdents64", descriptor);
      if (count === 0) return;
      visitDirents(bytes, this.#directoryView, count, (start, end, type) => {
        visit(bytes.subarray(start, end), direntType(type));
      });
    }
  }

  readLink(directory: number, path: PathBytes): Uint8Array {
    const bytes = this.#path.set(path);
    const count = this.#libc.readlinkat(directory, bytes, this.#linkTarget, PATH_BYTES);
    if (count < 0) throw this.#failure("readlinkat", path);
    return this.#linkTarget.slice(0, count);
  }

  makeDirectory(directory: number, path: PathBytes, mode: number): void {
    this.#check(this.#libc.mkdirat(directory, this.#path.set(path), mode), "mkdirat", path);
  }

  symlink(target: PathBytes, directory: number, path: PathBytes): void {
    const targetBytes = this.#otherPath.set(target);
    const result = this.#libc.symlinkat(targetBytes, directory, this.#path.set(path));
    this.#check(result, "symlinkat", path);
  }

  link(fromDirectory: number, from: PathBytes, toDirectory: number, to: PathBytes): void {
    const [fromBytes, toBytes] = [this.#path.set(from), this.#otherPath.set(to)];
    const result = this.#libc.linkat(fromDirectory, fromBytes, toDirectory, toBytes, 0);
    this.#check(result, "linkat", to);
  }

  rename(fromDirectory: number, from: PathBytes, toDirectory: number, to: PathBytes): void {
    const [fromBytes, toBytes] = [this.#path.set(from), this.#otherPath.set(to)];
    const result = this.#libc.renameat(fromDirectory, fromBytes, toDirectory, toBytes);
    this.#check(result, "renameat", to);
  }

  unlink(directory: number, path: PathBytes, options: { directory?: boolean } = {}): void {
    const flags = options.directory === true ? AT_REMOVEDIR : 0;
    this.#check(this.#libc.unlinkat(directory, this.#path.set(path), flags), "unlinkat", path);
  }

  makeNode(
    directory: number,
    path: PathBytes,
    type: "fifo" | "character" | "block",
    mode: number,
    rdev: { major: number; minor: number },
  ): void {
    const bits = typeBits(type) | (mode & 0o7777);
    const device = encodeDevice(rdev.major, rdev.minor);
    const result = this.#libc.mknodat(directory, this.#path.set(path), bits, device);
    this.#check(result, "mknodat", path);
  }

  changeOwner(directory: number, path: PathBytes | null, uid: number, gid: number): void {
    // Beyond 32 bits Deno throws and Bun cuts; all of them set mean: leave it.
    if (uid >= NO_ID || gid >= NO_ID) {
      throw new SystemError("EINVAL", "fchown", `owner ${uid}:${gid}`);
    }
    if (path === null) {
      return this.#check(this.#libc.fchown(directory, uid, gid), "fchown", directory);
    }
    const bytes = this.#path.set(path);
    const result = this.#libc.fchownat(directory, bytes, uid, gid, AT_SYMLINK_NOFOLLOW);
    this.#check(result, "fchownat", path);
  }

  changeMode(directory: number, path: PathBytes | null, mode: number): void {
    if (path === null) return this.#check(this.#libc.fchmod(directory, mode), "fchmod", directory);
    this.#check(this.#libc.fchmodat(directory, this.#path.set(path), mode, 0), "fchmodat", path);
  }

  setTimes(directory: number, path: PathBytes | null, atimeNs: bigint, mtimeNs: bigint): void {
    encodeTimes(this.#timesView, atimeNs, mtimeNs);
    if (path === null) {
      return this.#check(this.#libc.futimens(directory, this.#times), "futimens", directory);
    }
    const bytes = this.#path.set(path);
    const result = this.#libc.utimensat(directory, bytes, this.#times, AT_SYMLINK_NOFOLLOW);
    this.#check(result, "utimensat", path);
  }

  seek(descriptor: number, offsetBytes: number, what: "data" | "hole"): number | null {
    assertOffset(offsetBytes);
    return this.#seek(descriptor, offsetBytes, what === "data" ? SEEK_DATA : SEEK_HOLE);
  }

  lock(descriptor: number, kind: "shared" | "exclusive", options: { wait: boolean }): boolean {
    const operation = kind === "shared" ? LOCK_SHARED : LOCK_EXCLUSIVE;
    const flags = options.wait ? operation : operation | LOCK_NON_BLOCKING;
    for (;;) {
      if (this.#libc.flock(descriptor, flags) >= 0) return true;
      const errno = this.#libc.errno();
      if (errno === EAGAIN && !options.wait) return false;
      if (errno !== EINTR) throw systemError(errno, "flock", descriptor);
    }
  }

  unlock(descriptor: number): void {
    while (this.#libc.flock(descriptor, LOCK_UNLOCK) < 0) {
      this.#unlessInterrupted("flock", descriptor);
    }
  }

  fileSystem(path: PathBytes): { freeBytes: number; type: number } {
    const into = new Uint8Array(STATFS_BYTES);
    this.#check(this.#libc.statfs(this.#path.set(path), into), "statfs", path);
    return decodeStatfs(new DataView(into.buffer));
  }

  #seek(descriptor: number, offsetBytes: number, whence: number): number | null {
    const offset = this.#libc.lseek(descriptor, offsetBytes, whence);
    if (offset >= 0) return offset;
    const errno = this.#libc.errno();
    if (errno === ENXIO && whence !== SEEK_SET) return null;
    throw systemError(errno, "lseek", descriptor);
  }

  #check(result: number, syscall: string, subject: PathBytes | number): void {
    if (result < 0) throw this.#failure(syscall, subject);
  }

  #unlessInterrupted(syscall: string, descriptor: number): void {
    const errno = this.#libc.errno();
    if (errno !== EINTR) throw systemError(errno, syscall, descriptor);
  }

  #failure(syscall: string, subject: PathBytes | number): SystemError {
    return systemError(this.#libc.errno(), syscall, subject);
  }
}

function openBits(flags: OpenFlags, architecture: Architecture): number {
  const own = O_BY_ARCHITECTURE[architecture];
  const access = { "read": 0, "write": 1, "read-write": 2 }[flags.access];
  return access | O_CLOSE_ON_EXEC |
    (flags.create === true ? O_CREATE : 0) |
    (flags.exclusive === true ? O_EXCLUSIVE : 0) |
    (flags.truncate === true ? O_TRUNCATE : 0) |
    (flags.append === true ? O_APPEND : 0) |
    (flags.nonBlocking === true ? O_NON_BLOCKING : 0) |
    (flags.directory === true ? own.directory : 0) |
    (flags.noFollow === true ? own.noFollow : 0) |
    (flags.direct === true ? own.direct : 0);
}

function systemError(errno: number, syscall: string, subject: PathBytes | number): SystemError {
  const text = typeof subject === "number" ? `descriptor ${subject}` : pathText(subject);
  return new SystemError(errnoName(errno), syscall, text);
}

function assertOffset(bytes: number): void {
  assert(Number.isSafeInteger(bytes) && bytes >= 0, "a file offset is a whole number from 0");
}
