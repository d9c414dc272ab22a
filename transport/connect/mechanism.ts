// What the connect layer (Fig. 3 item 54) needs of a mechanism: types only.
//
// The network mechanism (58) and the storage mechanism (60) implement it. A mechanism's sockets
// are its own; the connect layer gives them descriptors and routes by the descriptor's value.

import type { Address, Conn, WaitOptions } from "../conn.ts";
import type { ArrivalLimits } from "../runtime/arrival_policy.ts";

export type Family = "AF_INET" | "AF_STP";

/** Where to connect to. An STP connect carries the token that the listener gave out. */
export interface ConnectOptions extends WaitOptions {
  readonly timeoutMs: number;
  readonly token?: Uint8Array;
}

export interface ListenOptions {
  readonly backlog: number;
  /** Network only: newcomers above these wait. */
  readonly arrivals?: ArrivalLimits;
  /** STP only: a connect without this token is refused. */
  readonly token?: Uint8Array;
}

/** A socket in the life cycle socket → bind → listen → accept, or socket → bind → connect. */
export interface MechanismSocket {
  bind(address: Address): void | Promise<void>;
  listen(options: ListenOptions): Promise<void>;
  /** @throws AgentError `closed` | `cancelled` | `timeout` */
  accept(options?: WaitOptions): Promise<MechanismSocket>;
  /** @throws AgentError `refused` | `timeout` | `unreachable` | `auth` */
  connect(address: Address, options: ConnectOptions): Promise<void>;
  getsockname(): Address;
  /** The stream of a connected socket; an assertion failure before that. */
  readonly conn: Conn;
  close(): Promise<void>;
}

export interface Mechanism {
  readonly family: Family;
  socket(): MechanismSocket;
}
