// libc by bun:ffi. Only Bun loads this file (runtime branch in current_runtime.ts), since no other
// runtime can resolve "bun:ffi".
//
// Buffers are passed as `ptr(buffer)`; a buffer stays reachable by the caller during the call.

import { dlopen, type Pointer, ptr, read as readMemory, toArrayBuffer } from "bun:ffi";
import process from "node:process";
import type { Libc, Mapping } from "./libc.ts";
import { architectureOf, LIBC_NAME, MAP_SHARED, PROT_READ_WRITE } from "./libc.ts";
import { AgentError } from "../ground/error.ts";

const SYMBOLS = {
  __errno_location: { args: [], returns: "ptr" },
  openat: { args: ["i32", "ptr", "i32", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  pread: { args: ["i32", "ptr", "u64", "i64"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
  pwrite: { args: ["i32", "ptr", "u64", "i64"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  fsync: { args: ["i32"], returns: "i32" },
  sync_file_range: { args: ["i32", "i64", "i64", "u32"], returns: "i32" },
  posix_fadvise: { args: ["i32", "i64", "i64", "i32"], returns: "i32" },
  statx: { args: ["i32", "ptr", "i32", "u32", "ptr"], returns: "i32" },
  getdents64: { args: ["i32", "ptr", "u64"], returns: "i32" },
  readlinkat: { args: ["i32", "ptr", "ptr", "u64"], returns: "i32" },
  mkdirat: { args: ["i32", "ptr", "u32"], returns: "i32" },
  symlinkat: { args: ["ptr", "i32", "ptr"], returns: "i32" },
  linkat: { args: ["i32", "ptr", "i32", "ptr", "i32"], returns: "i32" },
  renameat: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
  unlinkat: { args: ["i32", "ptr", "i32"], returns: "i32" },
  mknodat: { args: ["i32", "ptr", "u32", "u64"], returns: "i32" },
  fchownat: { args: ["i32", "ptr", "u32", "u32", "i32"], returns: "i32" },
  fchmodat: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
  utimensat: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  fchown: { args: ["i32", "u32", "u32"], returns: "i32" },
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  futimens: { args: ["i32", "ptr"], returns: "i32" },
  lseek: { args: ["i32", "i64", "i32"], returns: "i64" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  statfs: { args: ["ptr", "ptr"], returns: "i32" },
  flistxattr: { args: ["i32", "ptr", "u64"], returns: "i32" },
  llistxattr: { args: ["ptr", "ptr", "u64"], returns: "i32" },
  fgetxattr: { args: ["i32", "ptr", "ptr", "u64"], returns: "i32" },
  lgetxattr: { args: ["ptr", "ptr", "ptr", "u64"], returns: "i32" },
  fsetxattr: { args: ["i32", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  lsetxattr: { args: ["ptr", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  fremovexattr: { args: ["i32", "ptr"], returns: "i32" },
  lremovexattr: { args: ["ptr", "ptr"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  syscall: { args: ["i64", "u64", "u64", "u64", "u64", "u64"], returns: "i32" },
  mmap: { args: ["u64", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  munmap: { args: ["ptr", "u64"], returns: "i32" },
} as const;

/** What mmap returns on failure, as a signed number. */
const MAP_FAILED = -1;

/** @throws AgentError `unsupported` on another architecture or without a C library */
export function openBunLibc(): Libc {
  const architecture = architectureOf(process.arch);
  if (architecture === null) {
    throw new AgentError(
      "unsupported",
      `Cannot call libc: found architecture "${process.arch}", need x86_64 or aarch64`,
    );
  }
  const { symbols: c } = dlopen(LIBC_NAME, SYMBOLS);
  return {
    architecture,
    ...attributeCalls(c),
    ...xattrCalls(c),
    errno() {
      // The location belongs to the thread, and the library may move it: ask each time.
      const location = c.__errno_location();
      return location === null ? 0 : readMemory.i32(location);
    },
    openat: (dir, path, flags, mode) => c.openat(dir, ptr(path), flags, mode),
    close: (descriptor) => c.close(descriptor),
    read: (descriptor, into, count) => c.read(descriptor, ptr(into), count),
    pread: (descriptor, into, count, offset) => c.pread(descriptor, ptr(into), count, offset),
    write: (descriptor, from, count) => c.write(descriptor, ptr(from), count),
    pwrite: (descriptor, from, count, offset) => c.pwrite(descriptor, ptr(from), count, offset),
    ftruncate: (descriptor, size) => c.ftruncate(descriptor, size),
    fsync: (descriptor) => c.fsync(descriptor),
    sync_file_range: (descriptor, offset, count, flags) =>
      c.sync_file_range(descriptor, offset, count, flags),
    posix_fadvise: (descriptor, offset, count, advice) =>
      c.posix_fadvise(descriptor, offset, count, advice),
    statx: (dir, path, flags, mask, into) => c.statx(dir, ptr(path), flags, mask, ptr(into)),
    getdents64: (descriptor, into, count) => c.getdents64(descriptor, ptr(into), count),
    readlinkat: (dir, path, into, count) => c.readlinkat(dir, ptr(path), ptr(into), count),
    mkdirat: (dir, path, mode) => c.mkdirat(dir, ptr(path), mode),
    symlinkat: (target, dir, path) => c.symlinkat(ptr(target), dir, ptr(path)),
    linkat: (fromDir, from, toDir, to, flags) =>
      c.linkat(fromDir, ptr(from), toDir, ptr(to), flags),
    renameat: (fromDir, from, toDir, to) => c.renameat(fromDir, ptr(from), toDir, ptr(to)),
    unlinkat: (dir, path, flags) => c.unlinkat(dir, ptr(path), flags),
    mknodat: (dir, path, mode, device) => c.mknodat(dir, ptr(path), mode, device),
    lseek: (descriptor, offset, whence) => Number(c.lseek(descriptor, offset, whence)),
    flock: (descriptor, operation) => c.flock(descriptor, operation),
    statfs: (path, into) => c.statfs(ptr(path), ptr(into)),
    connect: (descriptor, address, size) => c.connect(descriptor, ptr(address), size),
    getsockname: (fd, into, size) => c.getsockname(fd, ptr(into), ptr(size)),
    getpeername: (fd, into, size) => c.getpeername(fd, ptr(into), ptr(size)),
    ioctl: (descriptor, request, into) => c.ioctl(descriptor, request, ptr(into)),
    syscall: c.syscall,
    addressOf: (bytes) => ptr(bytes),
    mapShared(descriptor, sizeBytes): Mapping | null {
      const at = Number(c.mmap(0, sizeBytes, PROT_READ_WRITE, MAP_SHARED, descriptor, 0));
      if (at === MAP_FAILED) return null;
      const pointer = at as Pointer;
      return {
        buffer: toArrayBuffer(pointer, 0, sizeBytes),
        unmap: () => void c.munmap(pointer, sizeBytes),
      };
    },
  };
}

type Calls = ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"];

/** Of owners, modes and times. */
function attributeCalls(
  c: Calls,
): Pick<Libc, "fchownat" | "fchmodat" | "utimensat" | "fchown" | "fchmod" | "futimens"> {
  return {
    fchownat: (dir, path, uid, gid, flags) => c.fchownat(dir, ptr(path), uid, gid, flags),
    fchmodat: (dir, path, mode, flags) => c.fchmodat(dir, ptr(path), mode, flags),
    utimensat: (dir, path, times, flags) => c.utimensat(dir, ptr(path), ptr(times), flags),
    fchown: (descriptor, uid, gid) => c.fchown(descriptor, uid, gid),
    fchmod: (descriptor, mode) => c.fchmod(descriptor, mode),
    futimens: (descriptor, times) => c.futimens(descriptor, ptr(times)),
  };
}

function xattrCalls(c: Calls) {
  type Bytes = Uint8Array;
  return {
    flistxattr: (fd: number, into: Bytes, size: number) => c.flistxattr(fd, ptr(into), size),
    llistxattr: (path: Bytes, into: Bytes, size: number) =>
      c.llistxattr(ptr(path), ptr(into), size),
    fgetxattr: (fd: number, name: Bytes, into: Bytes, size: number) =>
      c.fgetxattr(fd, ptr(name), ptr(into), size),
    lgetxattr: (path: Bytes, name: Bytes, into: Bytes, size: number) =>
      c.lgetxattr(ptr(path), ptr(name), ptr(into), size),
    fsetxattr: (fd: number, name: Bytes, from: Bytes, size: number, flags: number) =>
      c.fsetxattr(fd, ptr(name), ptr(from), size, flags),
    lsetxattr: (path: Bytes, name: Bytes, from: Bytes, size: number, flags: number) =>
      c.lsetxattr(ptr(path), ptr(name), ptr(from), size, flags),
    fremovexattr: (fd: number, name: Bytes) => c.fremovexattr(fd, ptr(name)),
    lremovexattr: (path: Bytes, name: Bytes) => c.lremovexattr(ptr(path), ptr(name)),
  };
}
