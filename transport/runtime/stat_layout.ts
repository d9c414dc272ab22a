// Layouts of the structures that libc fills: statx, statfs, linux_dirent64, timespec. They are the
// same on x86_64 and aarch64 (both little-endian, both LP64). Pure: no call is made here.
//
//     struct statx            struct linux_dirent64     struct statfs
//      16  u32 nlink           0  u64 ino                0  i64 type
//      20  u32 uid             8  i64 offset             8  i64 block size
//      24  u32 gid            16  u16 record length     32  u64 blocks available to us
//      28  u16 mode           18  u8  type              72  i64 fragment size
//      32  u64 ino            19  name, NUL
//      40  u64 size                                     struct timespec
//      48  u64 blocks         times in statx:            0  i64 seconds
//     128  u32 rdev major      0  i64 seconds            8  i64 nanoseconds
//     132  u32 rdev minor      8  u32 nanoseconds
//     136  u32 dev major      at 64 atime, 96 ctime,
//     140  u32 dev minor      112 mtime

import type { DirectoryEntry, FileStat, FileType } from "./files.ts";

export const STATX_BYTES = 256;
export const STATFS_BYTES = 120;
export const TIMESPECS_BYTES = 32;
const DIRENT_NAME_OFFSET = 19;
const NS_PER_SECOND = 1_000_000_000n;
const TWO_32 = 0x1_0000_0000;

/** Names of the four type bits of a mode (S_IFMT >> 12); the type byte of a dirent is the same. */
const TYPES: Readonly<Record<number, FileType>> = {
  1: "fifo",
  2: "character",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** Mode bits of a node of this type (S_IFIFO and so on). */
export function typeBits(type: "fifo" | "character" | "block"): number {
  return type === "fifo" ? 0o010000 : type === "character" ? 0o020000 : 0o060000;
}

export function decodeStatx(view: DataView): FileStat {
  return new Statx(view);
}

/** A walk looks at everything and asks few for their times: bigints are made when asked for. */
class Statx implements FileStat {
  readonly type: FileType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly blocks512: number;
  readonly linkCount: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly #inodeLow: number;
  readonly #inodeHigh: number;
  readonly #mtimeLow: number;
  readonly #mtimeHigh: number;
  readonly #mtimeRest: number;
  readonly #ctimeLow: number;
  readonly #ctimeHigh: number;
  readonly #ctimeRest: number;
  readonly #atimeLow: number;
  readonly #atimeHigh: number;
  readonly #atimeRest: number;

  constructor(view: DataView) {
    const mode = view.getUint16(28, true);
    this.type = TYPES[mode >> 12] ?? "unknown";
    this.mode = mode & 0o7777;
    this.uid = view.getUint32(20, true);
    this.gid = view.getUint32(24, true);
    this.sizeBytes = unsigned64(view, 40);
    this.blocks512 = unsigned64(view, 48);
    this.linkCount = view.getUint32(16, true);
    this.deviceMajor = view.getUint32(136, true);
    this.deviceMinor = view.getUint32(140, true);
    this.rdevMajor = view.getUint32(128, true);
    this.rdevMinor = view.getUint32(132, true);
    this.#inodeLow = view.getUint32(32, true);
    this.#inodeHigh = view.getUint32(36, true);
    this.#mtimeLow = view.getUint32(112, true);
    this.#mtimeHigh = view.getInt32(116, true);
    this.#mtimeRest = view.getUint32(120, true);
    this.#ctimeLow = view.getUint32(96, true);
    this.#ctimeHigh = view.getInt32(100, true);
    this.#ctimeRest = view.getUint32(104, true);
    this.#atimeLow = view.getUint32(64, true);
    this.#atimeHigh = view.getInt32(68, true);
    this.#atimeRest = view.getUint32(72, true);
  }

  get inode(): bigint {
    if (this.#inodeHigh === 0) return BigInt(this.#inodeLow);
    return BigInt(this.#inodeHigh) << 32n | BigInt(this.#inodeLow);
  }

  get mtimeNs(): bigint {
    return nanoseconds(this.#mtimeLow, this.#mtimeHigh, this.#mtimeRest);
  }

  get ctimeNs(): bigint {
    return nanoseconds(this.#ctimeLow, this.#ctimeHigh, this.#ctimeRest);
  }

  get atimeNs(): bigint {
    return nanoseconds(this.#atimeLow, this.#atimeHigh, this.#atimeRest);
  }

  get mtimeSeconds(): number {
    return this.#mtimeHigh * TWO_32 + this.#mtimeLow;
  }

  get mtimeRestNs(): number {
    return this.#mtimeRest;
  }

  get ctimeSeconds(): number {
    return this.#ctimeHigh * TWO_32 + this.#ctimeLow;
  }

  get ctimeRestNs(): number {
    return this.#ctimeRest;
  }
}

/** Two timespecs for utimensat. Seconds round down, so nanoseconds are never negative. */
export function encodeTimes(view: DataView, atimeNs: bigint, mtimeNs: bigint): void {
  encodeTimespec(view, 0, atimeNs);
  encodeTimespec(view, 16, mtimeNs);
}

export function decodeStatfs(view: DataView): { freeBytes: number; type: number } {
  const fragment = unsigned64(view, 72);
  const unit = fragment > 0 ? fragment : unsigned64(view, 8);
  // Some magic numbers have the top bit set and come sign-extended: keep 32 bits.
  return { freeBytes: unsigned64(view, 32) * unit, type: view.getUint32(0, true) };
}

/** Appends the entries of one getdents64 result of `count` bytes, without "." and "..". */
export function decodeDirents(
  bytes: Uint8Array,
  view: DataView,
  count: number,
  into: DirectoryEntry[],
): void {
  visitDirents(bytes, view, count, (start, end, type) => {
    into.push({ name: bytes.slice(start, end), type: direntType(type) });
  });
}

/** The type byte of a directory entry. */
export function direntType(type: number): FileType {
  return TYPES[type] ?? "unknown";
}

/** Calls `visit` with the place of each name in a getdents64 result, without "." and "..". */
export function visitDirents(
  bytes: Uint8Array,
  view: DataView,
  count: number,
  visit: (start: number, end: number, type: number) => void,
): void {
  for (let at = 0; at < count;) {
    const length = view.getUint16(at + 16, true);
    const start = at + DIRENT_NAME_OFFSET;
    const end = bytes.indexOf(0, start);
    if (!isDot(bytes, start, end)) visit(start, end, bytes[at + 18] ?? 0);
    at += length;
  }
}

/** A dev_t as glibc packs it. */
export function encodeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

function isDot(bytes: Uint8Array, start: number, end: number): boolean {
  const dot = 0x2e;
  if (bytes[start] !== dot) return false;
  return end === start + 1 || (end === start + 2 && bytes[start + 1] === dot);
}

function nanoseconds(low: number, high: number, rest: number): bigint {
  const seconds = high === 0 ? BigInt(low) : (BigInt(high) << 32n) + BigInt(low);
  return seconds * NS_PER_SECOND + BigInt(rest);
}

function encodeTimespec(view: DataView, offset: number, ns: bigint): void {
  const rest = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  view.setBigInt64(offset, (ns - rest) / NS_PER_SECOND, true);
  view.setBigInt64(offset + 8, rest, true);
}

/** Sizes and counts of the kernel lie far below 2^53. */
function unsigned64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32;
}
