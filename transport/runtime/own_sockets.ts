// The process's own IP sockets, found by their ends among its descriptors: Deno shows no
// descriptor of a socket.

import { encodeHex } from "../ground/hex.ts";
import { AT_CWD, type Files, SystemError } from "./files.ts";
import type { Libc } from "./libc.ts";
import { DESCRIPTOR_COUNT } from "./limits.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCKADDR_BYTES = 28;

/** One end of a connection, as the runtime tells it. */
export interface TcpEnd {
  readonly address: string;
  readonly port: number;
}

export class OwnSockets {
  readonly #libc: Libc;
  readonly #files: Files;
  readonly #address = new Uint8Array(SOCKADDR_BYTES);
  readonly #size = new Uint8Array(4);

  constructor(libc: Libc, files: Files) {
    this.#libc = libc;
    this.#files = files;
  }

  /**
   * Both ends are compared with their addresses: two hosts may have connected to one port of ours
   * from the same port of theirs.
   * @param ends `remote` is null for a socket that listens
   * @returns null when it was not found
   */
  find(ends: { readonly local: TcpEnd; readonly remote: TcpEnd | null }): number | null {
    const { local, remote } = ends;
    // The remote end first: hundreds of connections have one local end.
    const found = this.#descriptors().find((descriptor) =>
      this.#has(descriptor, "remote", remote) && this.#has(descriptor, "local", local)
    );
    return found ?? null;
  }

  /** None when the process has no descriptor left to look with: its caller must go on. */
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

  /** @param wanted null: it has no such end, or is no IP socket */
  #has(descriptor: number, end: "local" | "remote", wanted: TcpEnd | null): boolean {
    this.#size[0] = SOCKADDR_BYTES;
    this.#size.fill(0, 1);
    const result = end === "local"
      ? this.#libc.getsockname(descriptor, this.#address, this.#size)
      : this.#libc.getpeername(descriptor, this.#address, this.#size);
    const family = this.#address[0];
    const isFound = result >= 0 && (family === AF_INET || family === AF_INET6);
    if (!isFound || wanted === null) return !isFound && wanted === null;
    const port = ((this.#address[2] ?? 0) << 8) | (this.#address[3] ?? 0);
    if (port !== wanted.port) return false;
    const groups = encodeHex(this.#address.subarray(8, 24)).match(/.{4}/g) ?? [];
    const address = family === AF_INET ? this.#address.slice(4, 8).join(".") : groups.join(":");
    return hostOf(address) === hostOf(wanted.address);
  }
}

/** One text for all ways to write an IPv6 address. */
function hostOf(address: string): string {
  return address.includes(":") ? new URL(`http://[${address}]`).hostname : address;
}
