// The network mechanism (Fig. 3 item 58): sockets of the connect layer over the runtime's TCP.
//
// Invariants:
//  1. A socket goes socket -> bind -> listen -> accept, or socket -> (bind ->) connect; another
//     order is our own bug. An accepted socket is connected from the start.
//  2. The active side may bind a well-known port before it connects (the figures draw it so): the
//     address is recorded only, and the local port stays ephemeral.

import type { Address, Conn, Listener, WaitOptions } from "../conn.ts";
import type {
  ConnectOptions,
  ListenOptions,
  Mechanism,
  MechanismSocket,
} from "../connect/mechanism.ts";
import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import type { Network } from "../runtime/runtime.ts";

type InetAddress = Extract<Address, { family: "AF_INET" }>;

/** Address of a socket that was neither bound nor connected. */
const UNBOUND: InetAddress = { family: "AF_INET", address: "0.0.0.0", port: 0 };

export class TcpMechanism implements Mechanism {
  readonly family = "AF_INET";
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  socket(): MechanismSocket {
    return new TcpSocket(this.#network, null);
  }
}

class TcpSocket implements MechanismSocket {
  readonly #network: Network;
  #bound: InetAddress | undefined;
  #listener: Listener | undefined;
  #conn: Conn | null;
  #closed = false;

  constructor(network: Network, conn: Conn | null) {
    this.#network = network;
    this.#conn = conn;
  }

  bind(address: Address): void {
    this.#assertFresh("bind");
    assert(this.#bound === undefined, "a socket is bound once");
    this.#bound = inet(address);
  }

  /** @throws AgentError `port_in_use` | `failed` */
  async listen(options: ListenOptions): Promise<void> {
    this.#assertFresh("listen");
    assert(this.#bound !== undefined, "a socket is bound before it listens");
    const { address, port } = this.#bound;
    const { backlog, arrivals } = options;
    const listener = await this.#network.listen({ address, port, backlog, arrivals });
    if (this.#closed) {
      await listener.close();
      throw closedError("listen");
    }
    this.#listener = listener;
  }

  async accept(options: WaitOptions = {}): Promise<MechanismSocket> {
    if (this.#closed) throw closedError("accept");
    assert(this.#listener !== undefined, "a socket listens before it accepts");
    return new TcpSocket(this.#network, await this.#listener.accept(options));
  }

  async connect(address: Address, options: ConnectOptions): Promise<void> {
    this.#assertFresh("connect");
    const { address: host, port } = inet(address);
    const { timeoutMs, signal } = options;
    const conn = await this.#network.connect({ address: host, port, timeoutMs, signal });
    if (this.#closed) {
      conn.abort("the socket was closed");
      throw closedError("connect");
    }
    this.#conn = conn;
  }

  /** The connection's own address, else the listener's, else what was bound. */
  getsockname(): Address {
    return this.#conn?.localAddr ?? this.#listener?.addr ?? this.#bound ?? UNBOUND;
  }

  get conn(): Conn {
    assert(this.#conn !== null, "a socket has a stream once it is connected");
    return this.#conn;
  }

  /** Drains and ends the connection, or stops listening. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#listener?.close();
    await this.#conn?.close();
  }

  #assertFresh(action: string): void {
    if (this.#closed) throw closedError(action);
    const fresh = this.#conn === null && this.#listener === undefined;
    assert(fresh, `${action} is for a socket that neither listens nor is connected`);
  }
}

function inet(address: Address): InetAddress {
  assert(address.family === "AF_INET", "a network socket takes an AF_INET address");
  return address;
}

function closedError(action: string): AgentError {
  return new AgentError("closed", `Cannot ${action}: the socket was closed, need an open one`);
}
