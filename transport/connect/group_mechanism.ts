// The storage mechanism of a host with several storage transport groups: the address that a socket
// is bound to names the group, and the group's own mechanism is opened when it is first named.

import type { Address, Conn, WaitOptions } from "../conn.ts";
import { assert } from "../ground/assert.ts";
import type { ConnectOptions, ListenOptions, Mechanism, MechanismSocket } from "./mechanism.ts";

/** Opens the mechanism of a group, or gives the one already open. */
export type OpenGroup = (stg: string) => Promise<Mechanism>;

export class GroupMechanism implements Mechanism {
  readonly family = "AF_STP";
  readonly #open: OpenGroup;

  constructor(open: OpenGroup) {
    this.#open = open;
  }

  socket(): MechanismSocket {
    return new GroupSocket(this.#open);
  }
}

class GroupSocket implements MechanismSocket {
  readonly #open: OpenGroup;
  #bound: MechanismSocket | null = null;

  constructor(open: OpenGroup) {
    this.#open = open;
  }

  async bind(address: Address): Promise<void> {
    assert(address.family === "AF_STP", "an STP socket binds an STP address");
    assert(this.#bound === null, "an STP socket binds once");
    this.#bound = (await this.#open(address.stg)).socket();
    await this.#bound.bind(address);
  }

  listen(options: ListenOptions): Promise<void> {
    return this.#socket().listen(options);
  }

  accept(options?: WaitOptions): Promise<MechanismSocket> {
    return this.#socket().accept(options);
  }

  connect(address: Address, options: ConnectOptions): Promise<void> {
    return this.#socket().connect(address, options);
  }

  getsockname(): Address {
    return this.#socket().getsockname();
  }

  get conn(): Conn {
    return this.#socket().conn;
  }

  async close(): Promise<void> {
    await this.#bound?.close();
  }

  #socket(): MechanismSocket {
    assert(this.#bound !== null, "an STP socket is bound before it is used");
    return this.#bound;
  }
}
