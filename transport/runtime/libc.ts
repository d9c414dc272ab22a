// The C library as this program calls it: one small interface with two fillings, deno_libc.ts and
// bun_libc.ts. Only Linux on x86_64 and aarch64.
//
// Invariants:
//  1. Results are plain numbers, -1 on failure; the reason is then `errno()`, read before any
//     other call. Counts fit 32 bits, because Linux moves at most 0x7ffff000 bytes in a call.
//  2. Paths are bytes that end in NUL (path_bytes.ts makes them); nothing is kept by the callee.
//  3. Offsets are non-negative and below 2^53.

export type Architecture = "x86_64" | "aarch64";

/** Calls of libc.so.6 with the argument order of the manual pages. */
export interface Libc {
  readonly architecture: Architecture;
  errno(): number;
  openat(directory: number, path: Uint8Array, flags: number, mode: number): number;
  close(descriptor: number): number;
  read(descriptor: number, into: Uint8Array, count: number): number;
  pread(descriptor: number, into: Uint8Array, count: number, offset: number): number;
  write(descriptor: number, from: Uint8Array, count: number): number;
  pwrite(descriptor: number, from: Uint8Array, count: number, offset: number): number;
  ftruncate(descriptor: number, size: number): number;
  fsync(descriptor: number): number;
  sync_file_range(descriptor: number, offset: number, count: number, flags: number): number;
  posix_fadvise(descriptor: number, offset: number, count: number, advice: number): number;
  statx(dir: number, path: Uint8Array, flags: number, mask: number, into: Uint8Array): number;
  getdents64(descriptor: number, into: Uint8Array, count: number): number;
  readlinkat(directory: number, path: Uint8Array, into: Uint8Array, count: number): number;
  mkdirat(directory: number, path: Uint8Array, mode: number): number;
  symlinkat(target: Uint8Array, directory: number, path: Uint8Array): number;
  linkat(fromDir: number, from: Uint8Array, toDir: number, to: Uint8Array, flags: number): number;
  renameat(fromDir: number, from: Uint8Array, toDir: number, to: Uint8Array): number;
  unlinkat(directory: number, path: Uint8Array, flags: number): number;
  mknodat(directory: number, path: Uint8Array, mode: number, device: bigint): number;
  fchownat(dir: number, path: Uint8Array, uid: number, gid: number, flags: number): number;
  fchown(descriptor: number, uid: number, gid: number): number;
  fchmodat(directory: number, path: Uint8Array, mode: number, flags: number): number;
  fchmod(descriptor: number, mode: number): number;
  utimensat(directory: number, path: Uint8Array, times: Uint8Array, flags: number): number;
  futimens(descriptor: number, times: Uint8Array): number;
  lseek(descriptor: number, offset: number, whence: number): number;
  flock(descriptor: number, operation: number): number;
  statfs(path: Uint8Array, into: Uint8Array): number;
  flistxattr(descriptor: number, into: Uint8Array, size: number): number;
  llistxattr(path: Uint8Array, into: Uint8Array, size: number): number;
  fgetxattr(descriptor: number, name: Uint8Array, into: Uint8Array, size: number): number;
  lgetxattr(path: Uint8Array, name: Uint8Array, into: Uint8Array, size: number): number;
  fsetxattr(fd: number, name: Uint8Array, from: Uint8Array, size: number, flags: number): number;
  lsetxattr(
    path: Uint8Array,
    name: Uint8Array,
    from: Uint8Array,
    size: number,
    flags: number,
  ): number;
  fremovexattr(descriptor: number, name: Uint8Array): number;
  lremovexattr(path: Uint8Array, name: Uint8Array): number;
  connect(descriptor: number, address: Uint8Array, size: number): number;
  getsockname(descriptor: number, into: Uint8Array, size: Uint8Array): number;
  getpeername(descriptor: number, into: Uint8Array, size: Uint8Array): number;
  ioctl(descriptor: number, request: number, into: Uint8Array): number;
  /** Any system call, for those without a function; addresses go in as numbers. */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number): number;
  /** Where the bytes lie. Only memory of an ArrayBuffer of its own stays there. */
  addressOf(bytes: Uint8Array): number;
  /** The file mapped shared and writable, or null when the kernel refuses (then `errno()`). */
  mapShared(descriptor: number, sizeBytes: number): Mapping | null;
}

/** A mapping of a file. After `unmap` a touch of `buffer` ends the process: drop it first. */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  unmap(): void;
}

/** Number of setsockopt(2). */
export const SETSOCKOPT: Readonly<Record<Architecture, number>> = { x86_64: 54, aarch64: 208 };

export const SOL_SOCKET = 1;

/** The name under which the dynamic linker finds the C library. */
export const LIBC_NAME = "libc.so.6";

export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 1;

/** @returns the architecture by either runtime's name for it, or null when it has no layouts */
export function architectureOf(name: string): Architecture | null {
  if (name === "x86_64" || name === "x64") return "x86_64";
  if (name === "aarch64" || name === "arm64") return "aarch64";
  return null;
}
