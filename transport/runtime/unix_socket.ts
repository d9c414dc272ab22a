// Sockets of this host (AF_UNIX) by the kernel's own calls: what streams (local_socket.ts) and
// datagrams (send_local.ts) have in common.
//
//   struct sockaddr_un: u16 family, then a path that ends in NUL, or, for an abstract name, NUL
//                       and the name up to the end (108 bytes in all)
//   struct timeval:     i64 seconds, i64 microseconds

import { errnoName } from "./errno.ts";
import { SystemError } from "./files.ts";
import { type Architecture, type Libc, SETSOCKOPT, SOL_SOCKET } from "./libc.ts";

export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;

const AF_UNIX = 1;
const SOCK_CLOEXEC = 0x80000;
const TYPES = { stream: 1, datagram: 2 } as const;
const PATH_OFFSET = 2;
const NAME_BYTES = 108;

const SOCKET: Readonly<Record<Architecture, number>> = { x86_64: 41, aarch64: 198 };

/** @returns a new descriptor @throws SystemError */
export function openUnixSocket(libc: Libc, type: keyof typeof TYPES, name: string): number {
  const socket = SOCKET[libc.architecture];
  const descriptor = libc.syscall(socket, AF_UNIX, TYPES[type] | SOCK_CLOEXEC, 0, 0, 0);
  if (descriptor >= 0) return descriptor;
  throw new SystemError(errnoName(libc.errno()), "socket", name);
}

/** How long a call on the socket waits, in ms. @throws SystemError */
export function setSocketTimeout(
  libc: Libc,
  descriptor: number,
  { option, ms, name }: { readonly option: number; readonly ms: number; readonly name: string },
): void {
  const time = timeval(ms);
  const at = libc.addressOf(time);
  const setsockopt = SETSOCKOPT[libc.architecture];
  const done = libc.syscall(setsockopt, descriptor, SOL_SOCKET, option, at, time.length);
  if (done < 0) throw new SystemError(errnoName(libc.errno()), "setsockopt", name);
}

/** The address of a path; of an abstract name when it begins with "@". @throws SystemError */
export function unixAddress(name: string): Uint8Array {
  const isAbstract = name.startsWith("@");
  const bytes = new TextEncoder().encode(isAbstract ? `\0${name.slice(1)}` : `${name}\0`);
  if (bytes.length > NAME_BYTES) throw new SystemError("ENAMETOOLONG", "connect", name);
  const address = new Uint8Array(PATH_OFFSET + bytes.length);
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
