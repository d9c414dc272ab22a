// libc by Deno.dlopen. ssize_t results are declared i32: they fit (libc.ts, invariant 1), and a
// 64-bit result would be a bigint, which costs an allocation on each call.

import type { Libc, Mapping } from "./libc.ts";
import { architectureOf, LIBC_NAME, MAP_SHARED, PROT_READ_WRITE } from "./libc.ts";
import { AgentError } from "../ground/error.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  sync_file_range: { parameters: ["i32", "i64", "i64", "u32"], result: "i32" },
  posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  renameat: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  mknodat: { parameters: ["i32", "buffer", "u32", "u64"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  statfs: { parameters: ["buffer", "buffer"], result: "i32" },
  flistxattr: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  llistxattr: { parameters: ["buffer", "buffer", "usize"], result: "i32" },
  fgetxattr: { parameters: ["i32", "buffer", "buffer", "usize"], result: "i32" },
  lgetxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "i32" },
  fsetxattr: { parameters: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  lsetxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  fremovexattr: { parameters: ["i32", "buffer"], result: "i32" },
  lremovexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  syscall: {
    parameters: ["isize", "usize", "usize", "usize", "usize", "usize"],
    result: "i32",
  },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
} as const;

/** What mmap returns on failure: all bits set. */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** @throws AgentError `unsupported` on another architecture or without a C library */
export function openDenoLibc(): Libc {
  const architecture = architectureOf(Deno.build.arch);
  if (architecture === null) {
    throw new AgentError(
      "unsupported",
      `Cannot call libc: found architecture "${Deno.build.arch}", need x86_64 or aarch64`,
    );
  }
  const { symbols } = Deno.dlopen(LIBC_NAME, SYMBOLS);
  return { ...fileCalls(symbols), ...pathCalls(symbols), ...xattrCalls(symbols), architecture };
}

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Calls on descriptors: counts and offsets become 64-bit here. */
function fileCalls(c: Symbols) {
  return {
    errno() {
      // The location belongs to the thread, and the library may move it: ask each time.
      const location = c.__errno_location();
      return location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
    },
    close: (descriptor: number) => c.close(descriptor),
    read: (descriptor: number, into: Uint8Array, count: number) =>
      c.read(descriptor, into, BigInt(count)),
    pread: (descriptor: number, into: Uint8Array, count: number, offset: number) =>
      c.pread(descriptor, into, BigInt(count), BigInt(offset)),
    write: (descriptor: number, from: Uint8Array, count: number) =>
      c.write(descriptor, from, BigInt(count)),
    pwrite: (descriptor: number, from: Uint8Array, count: number, offset: number) =>
      c.pwrite(descriptor, from, BigInt(count), BigInt(offset)),
    ftruncate: (descriptor: number, size: number) => c.ftruncate(descriptor, BigInt(size)),
    fsync: (descriptor: number) => c.fsync(descriptor),
    sync_file_range: (descriptor: number, offset: number, count: number, flags: number) =>
      c.sync_file_range(descriptor, BigInt(offset), BigInt(count), flags),
    posix_fadvise: (descriptor: number, offset: number, count: number, advice: number) =>
      c.posix_fadvise(descriptor, BigInt(offset), BigInt(count), advice),
    getdents64: (descriptor: number, into: Uint8Array, count: number) =>
      c.getdents64(descriptor, into, BigInt(count)),
    lseek: (descriptor: number, offset: number, whence: number) =>
      Number(c.lseek(descriptor, BigInt(offset), whence)),
    flock: (descriptor: number, operation: number) => c.flock(descriptor, operation),
    connect: (descriptor: number, address: Uint8Array, size: number) =>
      c.connect(descriptor, address, size),
    getsockname: (fd: number, into: Uint8Array, size: Uint8Array) => c.getsockname(fd, into, size),
    getpeername: (fd: number, into: Uint8Array, size: Uint8Array) => c.getpeername(fd, into, size),
    ioctl: (descriptor: number, request: number, into: Uint8Array) =>
      c.ioctl(descriptor, BigInt(request), into),
    syscall: (number: number, ...words: readonly [number, number, number, number, number]) =>
      c.syscall(
        BigInt(number),
        BigInt(words[0]),
        BigInt(words[1]),
        BigInt(words[2]),
        BigInt(words[3]),
        BigInt(words[4]),
      ),
    addressOf(bytes: Uint8Array): number {
      const pointer = Deno.UnsafePointer.of(bytes);
      return pointer === null ? 0 : Number(Deno.UnsafePointer.value(pointer));
    },
    mapShared(descriptor: number, sizeBytes: number): Mapping | null {
      const size = BigInt(sizeBytes);
      const at = c.mmap(0n, size, PROT_READ_WRITE, MAP_SHARED, descriptor, 0n);
      if (at === null || BigInt(Deno.UnsafePointer.value(at)) === MAP_FAILED) return null;
      return {
        buffer: Deno.UnsafePointerView.getArrayBuffer(at, sizeBytes),
        unmap: () => void c.munmap(at, size),
      };
    },
  };
}

/** Calls with paths: nothing to convert but a path's length. */
function pathCalls(c: Symbols) {
  return {
    openat: c.openat,
    statx: c.statx,
    readlinkat: (directory: number, path: Uint8Array, into: Uint8Array, count: number) =>
      c.readlinkat(directory, path, into, BigInt(count)),
    mkdirat: c.mkdirat,
    symlinkat: c.symlinkat,
    linkat: c.linkat,
    renameat: c.renameat,
    unlinkat: c.unlinkat,
    mknodat: c.mknodat,
    fchownat: c.fchownat,
    fchmodat: c.fchmodat,
    utimensat: c.utimensat,
    fchown: c.fchown,
    fchmod: c.fchmod,
    futimens: c.futimens,
    statfs: c.statfs,
  };
}

/** Calls on extended attributes: sizes become 64-bit here. */
function xattrCalls(c: Symbols) {
  type Bytes = Uint8Array;
  return {
    flistxattr: (fd: number, into: Bytes, size: number) => c.flistxattr(fd, into, BigInt(size)),
    llistxattr: (path: Bytes, into: Bytes, size: number) => c.llistxattr(path, into, BigInt(size)),
    fgetxattr: (fd: number, name: Bytes, into: Bytes, size: number) =>
      c.fgetxattr(fd, name, into, BigInt(size)),
    lgetxattr: (path: Bytes, name: Bytes, into: Bytes, size: number) =>
      c.lgetxattr(path, name, into, BigInt(size)),
    fsetxattr: (fd: number, name: Bytes, from: Bytes, size: number, flags: number) =>
      c.fsetxattr(fd, name, from, BigInt(size), flags),
    lsetxattr: (path: Bytes, name: Bytes, from: Bytes, size: number, flags: number) =>
      c.lsetxattr(path, name, from, BigInt(size), flags),
    fremovexattr: c.fremovexattr,
    lremovexattr: c.lremovexattr,
  };
}
