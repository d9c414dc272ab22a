// Stream sockets of this host (AF_UNIX), read and written synchronously on the calling thread, and
// connected as another user where a server asks the kernel who connects (SO_PEERCRED, which is
// taken at `connect`).
//
//   struct sockaddr_un: u16 family, path that ends in NUL (108 bytes with it)
//   struct timeval:     i64 seconds, i64 microseconds
//
// Invariants:
//  1. The kernel's own calls change the user of the calling thread only (libc's would change it
//     for all threads), and the thread has its own again before anything else runs.
//  2. A read waits for a moment at most, so that the thread goes back to its event loop.
//  3. Descriptors are noted as those of files are, and closed when the thread is ended.

import process from "node:process";
import { assert } from "../ground/assert.ts";
import { EAGAIN, EINTR, errnoName } from "./errno.ts";
import { SystemError } from "./files.ts";
import type { Architecture, Libc } from "./libc.ts";
import type { NotedFiles } from "./thread_descriptors.ts";

/** A user by numbers. */
export interface UserId {
  readonly uid: number;
  readonly gid: number;
}

export interface LocalSocketOptions {
  /** Who connects; null: this process's own user. */
  readonly as: UserId | null;
  /** How long a read waits for the first byte, in ms. */
  readonly readWaitMs: number;
  /** How long a write waits for the peer to take a byte, in ms. */
  readonly writeWaitMs: number;
}

export interface LocalSocket {
  /**
   * @returns count of bytes, 0 at the end of the stream, null when nothing came in time
   * @throws SystemError
   */
  read(into: Uint8Array): number | null;
  /** Writes all of `from`. @throws SystemError EAGAIN when the peer takes nothing in time */
  writeAll(from: Uint8Array): void;
  /** Idempotent. */
  close(): void;
}

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0x80000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const PATH_OFFSET = 2;
const ADDRESS_BYTES = 110;
const KEEP = 0xffff_ffff;

interface Numbers {
  readonly socket: number;
  readonly setsockopt: number;
  readonly setresuid: number;
  readonly setresgid: number;
}

const NUMBERS: Readonly<Record<Architecture, Numbers>> = {
  x86_64: { socket: 41, setsockopt: 54, setresuid: 117, setresgid: 119 },
  aarch64: { socket: 198, setsockopt: 208, setresuid: 147, setresgid: 149 },
};

/** @throws SystemError ENOENT | ECONNREFUSED | EACCES | EPERM (may not be that user) */
export function connectLocal(
  { libc, files, own }: { readonly libc: Libc; readonly files: NotedFiles; readonly own: UserId },
  path: string,
  options: LocalSocketOptions,
): LocalSocket {
  const numbers = NUMBERS[libc.architecture];
  const check = (result: number, call: string): number => {
    if (result >= 0) return result;
    throw new SystemError(errnoName(libc.errno()), call, path);
  };
  const address = addressOf(path);
  const descriptor = check(
    libc.syscall(numbers.socket, AF_UNIX, SOCK_STREAM_CLOEXEC, 0, 0, 0),
    "socket",
  );
  files.note(descriptor);
  try {
    const setTimeout = (option: number, ms: number) => {
      const time = timeval(ms);
      const at = libc.addressOf(time);
      const { setsockopt } = numbers;
      check(
        libc.syscall(setsockopt, descriptor, SOL_SOCKET, option, at, time.length),
        "setsockopt",
      );
    };
    setTimeout(SO_RCVTIMEO, options.readWaitMs);
    setTimeout(SO_SNDTIMEO, options.writeWaitMs);
    const { as } = options;
    const connect = () => check(libc.connect(descriptor, address, address.length), "connect");
    if (as === null || as.uid === own.uid) connect();
    else runAs(libc, { as, own, step: connect });
  } catch (error) {
    files.close(descriptor);
    throw error;
  }
  return new LibcLocalSocket(libc, files, { descriptor, path });
}

/** The effective user of this process. */
export function ownUser(): UserId {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

/** Runs a step with the effective user and group of another user, on this thread only. */
function runAs(
  libc: Libc,
  { as, own, step }: { readonly as: UserId; readonly own: UserId; readonly step: () => void },
): void {
  const { setresuid, setresgid } = NUMBERS[libc.architecture];
  const set = (number: number, id: number) => libc.syscall(number, KEEP, id, KEEP, 0, 0) === 0;
  if (!set(setresgid, as.gid)) throw new SystemError(errnoName(libc.errno()), "setresgid", "");
  try {
    if (!set(setresuid, as.uid)) throw new SystemError(errnoName(libc.errno()), "setresuid", "");
    try {
      step();
    } finally {
      assert(set(setresuid, own.uid), "a thread takes its own user back");
    }
  } finally {
    assert(set(setresgid, own.gid), "a thread takes its own group back");
  }
}

/** @throws SystemError ENAMETOOLONG */
function addressOf(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(path);
  const address = new Uint8Array(ADDRESS_BYTES);
  if (bytes.length >= address.length - PATH_OFFSET) {
    throw new SystemError("ENAMETOOLONG", "connect", path);
  }
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, PATH_OFFSET);
  return address;
}

function timeval(ms: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigInt64(0, BigInt(Math.floor(ms / 1000)), true);
  view.setBigInt64(8, BigInt(ms % 1000) * 1000n, true);
  return new Uint8Array(view.buffer);
}

class LibcLocalSocket implements LocalSocket {
  readonly #libc: Libc;
  readonly #files: NotedFiles;
  readonly #path: string;
  #descriptor: number | null;

  constructor(
    libc: Libc,
    files: NotedFiles,
    { descriptor, path }: { readonly descriptor: number; readonly path: string },
  ) {
    this.#libc = libc;
    this.#files = files;
    this.#descriptor = descriptor;
    this.#path = path;
  }

  read(into: Uint8Array): number | null {
    assert(this.#descriptor !== null, "an open socket is read");
    for (;;) {
      const count = this.#libc.read(this.#descriptor, into, into.length);
      if (count >= 0) return count;
      const errno = this.#libc.errno();
      if (errno === EAGAIN) return null;
      if (errno !== EINTR) throw new SystemError(errnoName(errno), "read", this.#path);
    }
  }

  writeAll(from: Uint8Array): void {
    assert(this.#descriptor !== null, "an open socket is written");
    this.#files.writeAll(this.#descriptor, from);
  }

  close(): void {
    if (this.#descriptor === null) return;
    this.#files.close(this.#descriptor);
    this.#descriptor = null;
  }
}
