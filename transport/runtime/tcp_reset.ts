// Resetting a TCP connection: the peer then sees an error instead of a clean end of stream.
//
// Deno has no call for it, so the connection's descriptor is found (own_sockets.ts); connecting it
// to "unspecified" dissolves the association, and the kernel sends RST. (A linger time of zero is
// not enough: Deno shuts the socket down before it closes it, so the peer would see a clean end
// first.)

import type { Libc } from "./libc.ts";
import type { OwnSockets, TcpEnd } from "./own_sockets.ts";

/** A sockaddr of family AF_UNSPEC (0). */
const UNSPECIFIED = new Uint8Array(16);

export class TcpReset {
  readonly #libc: Libc;
  readonly #sockets: OwnSockets;

  constructor(libc: Libc, sockets: OwnSockets) {
    this.#libc = libc;
    this.#sockets = sockets;
  }

  /**
   * Resets an open connection; its runtime must still close it.
   * @returns false when its descriptor was not found: nothing was sent then
   */
  send(ends: { readonly local: TcpEnd; readonly remote: TcpEnd }): boolean {
    const descriptor = this.#sockets.find(ends);
    if (descriptor === null) return false;
    return this.#libc.connect(descriptor, UNSPECIFIED, UNSPECIFIED.length) === 0;
  }
}
