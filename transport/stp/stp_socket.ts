// One STP socket in the life cycle socket -> bind -> listen -> accept, or socket -> bind ->
// connect. The calls are performed by the mechanism; this is what a descriptor stands for.
//
// Invariant: each call is only made in its state; a wrong order is our own bug.

import type { Address, WaitOptions } from "../conn.ts";
import type { ConnectOptions, ListenOptions, MechanismSocket } from "../connect/mechanism.ts";
import { assert } from "../ground/assert.ts";
import type { StpConn } from "./stp_conn.ts";
import type { StpAddress } from "./stp_connect.ts";
import type { StpListener } from "./stp_listener.ts";

/** What the socket is now; the mechanism moves it on. */
export type StpSocketState =
  | { readonly kind: "new" }
  | { readonly kind: "bound"; readonly addr: StpAddress }
  | { readonly kind: "listening"; readonly addr: StpAddress; readonly listener: StpListener }
  | { readonly kind: "connected"; readonly addr: StpAddress; readonly conn: StpConn }
  | { readonly kind: "closed" };

/** The calls behind a socket, under the names that the patent application gives them. */
export interface StpCalls {
  STPbind(socket: StpSocket, address: Address): Promise<void>;
  STPlisten(socket: StpSocket, options: ListenOptions): Promise<void>;
  STPgetsockname(socket: StpSocket): Address;
  STPconnect(socket: StpSocket, address: Address, options: ConnectOptions): Promise<void>;
  STPaccept(socket: StpSocket, options?: WaitOptions): Promise<StpSocket>;
  STPclose(socket: StpSocket): Promise<void>;
}

export class StpSocket implements MechanismSocket {
  state: StpSocketState = { kind: "new" };
  /** False for an accepted socket: it shares the listener's port. */
  readonly ownsPort: boolean;
  readonly #calls: StpCalls;

  constructor(calls: StpCalls, options: { readonly ownsPort: boolean }) {
    this.#calls = calls;
    this.ownsPort = options.ownsPort;
  }

  bind(address: Address): Promise<void> {
    return this.#calls.STPbind(this, address);
  }

  listen(options: ListenOptions): Promise<void> {
    return this.#calls.STPlisten(this, options);
  }

  accept(options?: WaitOptions): Promise<StpSocket> {
    return this.#calls.STPaccept(this, options);
  }

  connect(address: Address, options: ConnectOptions): Promise<void> {
    return this.#calls.STPconnect(this, address, options);
  }

  getsockname(): Address {
    return this.#calls.STPgetsockname(this);
  }

  get conn(): StpConn {
    assert(this.state.kind === "connected", "only a connected socket has a stream");
    return this.state.conn;
  }

  close(): Promise<void> {
    return this.#calls.STPclose(this);
  }
}
