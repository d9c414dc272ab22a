// Resetting a TCP connection: the peer then sees an error instead of a clean end of stream.
//
// Deno has no call for it and shows no descriptor, so the descriptor is found among the process's
// own by its two ports; connecting it to "unspecified" dissolves the association, and the kernel
// sends RST. (A linger time of zero is not enough: Deno shuts the socket down before it closes it,
// so the peer would see a clean end first.)

import { AT_CWD, type Files } from "./files.ts";
import type { Libc } from "./libc.ts";
import { DESCRIPTOR_COUNT } from "./limits.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCKADDR_BYTES = 28;
/** A sockaddr of family AF_UNSPEC (0). */
const UNSPECIFIED = new Uint8Array(16);

/** The two ports of a connection: together with our own process they name it well enough. */
export interface PortPair {
  readonly localPort: number;
  readonly remotePort: number;
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
   * Resets an open connection; its runtime must still close it.
   * @returns false when its descriptor was not found: nothing was sent then
   */
  send(ports: PortPair): boolean {
    for (const descriptor of this.#descriptors()) {
      if (this.#port(descriptor, "local") !== ports.localPort) continue;
      if (this.#port(descriptor, "remote") !== ports.remotePort) continue;
      return this.#libc.connect(descriptor, UNSPECIFIED, UNSPECIFIED.length) === 0;
    }
    return false;
  }

  #descriptors(): number[] {
    const directory = this.#files.open(AT_CWD, "/proc/self/fd", {
      access: "read",
      directory: true,
    });
    try {
      const text = new TextDecoder();
      return this.#files.list(directory).slice(0, DESCRIPTOR_COUNT).map((entry) =>
        Number(text.decode(entry.name))
      );
    } finally {
      this.#files.close(directory);
    }
  }

  /** Port of one end; null when the descriptor is no connected IP socket. */
  #port(descriptor: number, end: "local" | "remote"): number | null {
    this.#size[0] = SOCKADDR_BYTES;
    this.#size.fill(0, 1);
    const result = end === "local"
      ? this.#libc.getsockname(descriptor, this.#address, this.#size)
      : this.#libc.getpeername(descriptor, this.#address, this.#size);
    const family = this.#address[0];
    if (result < 0 || (family !== AF_INET && family !== AF_INET6)) return null;
    return ((this.#address[2] ?? 0) << 8) | (this.#address[3] ?? 0);
  }
}
