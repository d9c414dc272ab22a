// A mechanism of either family for tests of the connect layer: it records the calls it gets, and
// its connections are ends of in-memory pairs whose other ends the test holds.

import type { Address, Conn } from "../../../../transport/conn.ts";
import type { Family, Mechanism, MechanismSocket } from "../../../../transport/connect/mod.ts";
import { assert } from "../../../../transport/ground/assert.ts";
import { type MemoryConn, memoryPair } from "../../../../transport/memory/mod.ts";

export class FakeMechanism implements Mechanism {
  readonly family: Family;
  /** Every call on every socket, e.g. "bind 7". */
  readonly calls: string[] = [];
  /** The other ends of the connections, in the order in which they were made. */
  readonly peers: MemoryConn[] = [];
  /** Thrown by the next close of a socket. */
  closeError: Error | null = null;

  constructor(family: Family) {
    this.family = family;
  }

  address(port: number): Address {
    return this.family === "AF_INET"
      ? { family: "AF_INET", address: "127.0.0.1", port }
      : { family: "AF_STP", stg: "stg0", host: 1, port };
  }

  socket(): MechanismSocket {
    return new FakeSocket(this, null);
  }

  pair(): Conn {
    const [near, far] = memoryPair(this.address(1), this.address(2));
    this.peers.push(far);
    return near;
  }
}

class FakeSocket implements MechanismSocket {
  readonly #mechanism: FakeMechanism;
  #conn: Conn | null;
  #bound: Address | null = null;

  constructor(mechanism: FakeMechanism, conn: Conn | null) {
    this.#mechanism = mechanism;
    this.#conn = conn;
  }

  bind(address: Address): void {
    this.#mechanism.calls.push(`bind ${address.port}`);
    this.#bound = address;
  }

  listen(options: { readonly backlog: number }): Promise<void> {
    this.#mechanism.calls.push(`listen ${options.backlog}`);
    return Promise.resolve();
  }

  accept(): Promise<MechanismSocket> {
    this.#mechanism.calls.push("accept");
    return Promise.resolve(new FakeSocket(this.#mechanism, this.#mechanism.pair()));
  }

  connect(address: Address): Promise<void> {
    this.#mechanism.calls.push(`connect ${address.port}`);
    this.#conn = this.#mechanism.pair();
    return Promise.resolve();
  }

  getsockname(): Address {
    assert(this.#bound !== null, "the test binds first");
    return this.#bound;
  }

  get conn(): Conn {
    assert(this.#conn !== null, "the test connects first");
    return this.#conn;
  }

  async close(): Promise<void> {
    this.#mechanism.calls.push("close");
    const error = this.#mechanism.closeError;
    this.#mechanism.closeError = null;
    if (error !== null) throw error;
    await this.#conn?.close();
  }
}
