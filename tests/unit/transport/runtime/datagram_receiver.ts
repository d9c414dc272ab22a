// A datagram socket as a supervisor has one, by libc: neither runtime has such sockets of its own.

import type { Libc } from "../../../../transport/runtime/libc.ts";
import {
  openUnixSocket,
  setSocketTimeout,
  SO_RCVTIMEO,
  unixAddress,
} from "../../../../transport/runtime/unix_socket.ts";
import { openLibc } from "./open_libc.ts";

const BIND = { x86_64: 49, aarch64: 200 } as const;
const MESSAGE_BYTES = 4096;
const LOOK_MS = 1;

export class DatagramReceiver implements Disposable {
  readonly #libc: Libc;
  readonly #descriptor: number;

  private constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
  }

  /** @param name a path, or "@" and an abstract name */
  static async open(name: string): Promise<DatagramReceiver> {
    const libc = await openLibc();
    const descriptor = openUnixSocket(libc, "datagram", name);
    setSocketTimeout(libc, descriptor, { option: SO_RCVTIMEO, ms: LOOK_MS, name });
    const address = unixAddress(name);
    const at = libc.addressOf(address);
    const bound = libc.syscall(BIND[libc.architecture], descriptor, at, address.length, 0, 0);
    if (bound !== 0) throw new Error(`bind ${name}: errno ${libc.errno()}`);
    return new DatagramReceiver(libc, descriptor);
  }

  /** The next message; null when there is none. */
  take(): string | null {
    const into = new Uint8Array(MESSAGE_BYTES);
    const count = this.#libc.read(this.#descriptor, into, into.length);
    return count < 0 ? null : new TextDecoder().decode(into.subarray(0, count));
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#descriptor);
  }
}
