// Descriptors of the connect layer: small integers whose value says which mechanism a socket
// belongs to (the patent application, Fig. 3, item 54: the layer "is pre-set to make a
// determination as to the type of socket call based on the value of the file descriptor").
//
// They are the layer's own numbers, not the operating system's. The lowest free number of a range
// is given out first, as POSIX does.

import { AgentError } from "../ground/error.ts";
import { FIRST_NETWORK_DESCRIPTOR, FIRST_STP_DESCRIPTOR, OPEN_SOCKETS_MAX } from "./limits.ts";
import type { Family } from "./mechanism.ts";

/** The mechanism that a descriptor's value stands for. */
export function familyOf(descriptor: number): Family {
  return descriptor >= FIRST_STP_DESCRIPTOR ? "AF_STP" : "AF_INET";
}

/** Open sockets by descriptor. */
export class DescriptorTable<Socket> {
  readonly #sockets = new Map<number, Socket>();

  /**
   * Gives `socket` the lowest free descriptor of its family.
   * @throws AgentError `busy` when OPEN_SOCKETS_MAX sockets of that family are open
   */
  add(family: Family, socket: Socket): number {
    const first = family === "AF_STP" ? FIRST_STP_DESCRIPTOR : FIRST_NETWORK_DESCRIPTOR;
    for (let descriptor = first; descriptor < first + OPEN_SOCKETS_MAX; descriptor++) {
      if (this.#sockets.has(descriptor)) continue;
      this.#sockets.set(descriptor, socket);
      return descriptor;
    }
    throw new AgentError(
      "busy",
      `Cannot open a socket of "${family}": ${OPEN_SOCKETS_MAX} are open, need a free one`,
      { hint: "Close sockets that are no longer used." },
    );
  }

  /** @throws AgentError `closed` when the descriptor is not open */
  get(descriptor: number): Socket {
    const socket = this.#sockets.get(descriptor);
    if (socket === undefined) {
      throw new AgentError("closed", `Cannot use descriptor "${descriptor}": it is not open`);
    }
    return socket;
  }

  /** Forgets the descriptor; undefined when it was not open. */
  remove(descriptor: number): Socket | undefined {
    const socket = this.#sockets.get(descriptor);
    this.#sockets.delete(descriptor);
    return socket;
  }

  descriptors(): number[] {
    return [...this.#sockets.keys()];
  }
}
