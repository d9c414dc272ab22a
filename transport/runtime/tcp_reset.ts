// Resetting a TCP connection: the peer then sees an error instead of a clean end of stream.
//
// Deno has no call for it and shows no descriptor, so the descriptor is found among the process's
// own by its two ends; connecting it to "unspecified" dissolves the association, and the kernel
// sends RST. (A linger time of zero is not enough: Deno shuts the socket down before it closes it,
// so the peer would see a clean end first.)

import { AT_CWD, type Files, SystemError } from "./files.ts";
import { encodeHex } from "../ground/hex.ts";
import type { Libc } from "./libc.ts";
import { DESCRIPTOR_COUNT } from "./limits.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCKADDR_BYTES = 28;
/** A sockaddr of family AF_UNSPEC (0). */
const UNSPECIFIED = new Uint8Array(16);

/** One end of a connection, as the runtime tells it. */
export interface TcpEnd {
  readonly address: string;
  readonly port: number;
}

export class TcpReset {
  readonly #libc: Libc;
  readonly #files: Files;
  readonly #address = new Uint8Array(SOCKADDR_BYTES);
  readonly #size = new Uint8Array(4);

  constructor(libc: Libc, files: Files) {
    this.#libc = libc;
    this.#files = files;
  }

  /**
   * Resets an open connection; its runtime must still close it. Both ends are compared with their
   * addresses: two hosts may have connected to one port of ours from the same port of theirs.
   * @returns false when its descriptor was not found: nothing was sent then
   */
  send(ends: { readonly local: TcpEnd; readonly remote: TcpEnd }): boolean {
    const [local, remote] = [nameOf(ends.local), nameOf(ends.remote)];
    for (const descriptor of this.#descriptors()) {
      if (this.#name(descriptor, "local") !== local) continue;
      if (this.#name(descriptor, "remote") !== remote) continue;
      return this.#libc.connect(descriptor, UNSPECIFIED, UNSPECIFIED.length) === 0;
    }
    return false;
  }

  /** None when the process has no descriptor left to look with: the abort must go on. */
  #descriptors(): number[] {
    let directory: number;
    try {
      directory = this.#files.open(AT_CWD, "/proc/self/fd", { access: "read", directory: true });
    } catch (error) {
      if (error instanceof SystemError) return [];
      throw error;
    }
    try {
      const text = new TextDecoder();
      return this.#files.list(directory).slice(0, DESCRIPTOR_COUNT).map((entry) =>
        Number(text.decode(entry.name))
      );
    } finally {
      this.#files.close(directory);
    }
  }

  /** One end by `nameOf`; null when the descriptor is no connected IP socket. */
  #name(descriptor: number, end: "local" | "remote"): string | null {
    this.#size[0] = SOCKADDR_BYTES;
    this.#size.fill(0, 1);
    const result = end === "local"
      ? this.#libc.getsockname(descriptor, this.#address, this.#size)
      : this.#libc.getpeername(descriptor, this.#address, this.#size);
    const family = this.#address[0];
    if (result < 0 || (family !== AF_INET && family !== AF_INET6)) return null;
    const port = ((this.#address[2] ?? 0) << 8) | (this.#address[3] ?? 0);
    if (family === AF_INET) return nameOf({ address: this.#address.slice(4, 8).join("."), port });
    const groups = encodeHex(this.#address.subarray(8, 24)).match(/.{4}/g) ?? [];
    return nameOf({ address: groups.join(":"), port });
  }
}

/** "10.0.0.1 7430" or "[::1] 7430": one text for all ways to write an IPv6 address. */
function nameOf({ address, port }: TcpEnd): string {
  const host = address.includes(":") ? new URL(`http://[${address}]`).hostname : address;
  return `${host} ${port}`;
}
