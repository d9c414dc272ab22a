// The connect layer (the patent application, Fig. 3, item 54): one socket API over the network
// mechanism (58) and the storage mechanism (60). The value of the descriptor decides the mechanism.
//
// Invariants:
//  1. A network descriptor lies below FIRST_STP_DESCRIPTOR, an STP descriptor at or above it.
//  2. `channelBytes` counts what every socket of this layer sent and received, closed ones too,
//     so a job's layer is the job's meter.
//  3. `close` of a descriptor closes its socket; closing the layer closes what is still open.

import type { Address, Conn, WaitOptions } from "../conn.ts";
import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { DescriptorTable, familyOf } from "./descriptor_table.ts";
import type {
  ConnectOptions,
  Family,
  ListenOptions,
  Mechanism,
  MechanismSocket,
} from "./mechanism.ts";

/** A socket as the table knows it: of a mechanism, or a connection adopted from elsewhere. */
interface OpenSocket {
  readonly socket: MechanismSocket | null;
  /** Null until the socket is connected. */
  conn: Conn | null;
}

/** Bytes sent plus received, by mechanism. */
export interface ChannelTotals {
  readonly networkBytes: number;
  readonly storageBytes: number;
}

export class ConnectLayer implements AsyncDisposable {
  readonly #mechanisms: Readonly<Record<Family, Mechanism | null>>;
  readonly #table = new DescriptorTable<OpenSocket>();
  readonly #closedBytes: Record<Family, number> = { AF_INET: 0, AF_STP: 0 };

  /** `storage` is null where no storage transport group is up. */
  constructor(mechanisms: { network: Mechanism | null; storage: Mechanism | null }) {
    this.#mechanisms = { AF_INET: mechanisms.network, AF_STP: mechanisms.storage };
  }

  /**
   * Opens an unconnected socket, e.g. `socket("AF_STP", "STREAM", "STP")`.
   * @throws AgentError `unsupported` when the family has no mechanism here
   */
  socket(family: Family, type: "STREAM", protocol: "TCP" | "STP"): number {
    assert((family === "AF_STP") === (protocol === "STP"), `${family} does not speak ${protocol}`);
    const mechanism = this.#mechanisms[family];
    if (mechanism === null) {
      throw new AgentError(
        "unsupported",
        `Cannot open a ${type} socket of "${family}": no such mechanism is up`,
        { hint: "Check `agent status` for storage transport groups that are down." },
      );
    }
    return this.#table.add(family, { socket: mechanism.socket(), conn: null });
  }

  /** Takes a connection that another thread accepted; `alreadyBytes` crossed it there. */
  adopt(conn: Conn, alreadyBytes: number): number {
    const family: Family = conn.localAddr.family === "AF_STP" ? "AF_STP" : "AF_INET";
    this.#closedBytes[family] += alreadyBytes;
    return this.#table.add(family, { socket: null, conn });
  }

  async bind(descriptor: number, address: Address): Promise<void> {
    await this.#unconnected(descriptor).bind(address);
  }

  async listen(descriptor: number, options: ListenOptions): Promise<void> {
    await this.#unconnected(descriptor).listen(options);
  }

  /** @returns the descriptor of the accepted connection */
  async accept(descriptor: number, options?: WaitOptions): Promise<number> {
    const socket = await this.#unconnected(descriptor).accept(options);
    const { conn } = socket;
    try {
      return this.#table.add(familyOf(descriptor), { socket, conn });
    } catch (error) {
      conn.abort("no descriptor is free"); // Nobody else knows of it.
      await socket.close();
      throw error;
    }
  }

  async connect(descriptor: number, address: Address, options: ConnectOptions): Promise<void> {
    const open = this.#table.get(descriptor);
    const socket = this.#unconnected(descriptor);
    await socket.connect(address, options);
    open.conn = socket.conn;
  }

  getsockname(descriptor: number): Address {
    const open = this.#table.get(descriptor);
    if (open.conn !== null) return open.conn.localAddr;
    return this.#unconnected(descriptor).getsockname();
  }

  send(descriptor: number, from: Uint8Array, options?: WaitOptions): Promise<number> {
    return this.conn(descriptor).write(from, options);
  }

  recv(descriptor: number, into: Uint8Array, options?: WaitOptions): Promise<number | null> {
    return this.conn(descriptor).read(into, options);
  }

  /** Ends the outgoing direction. */
  shutdown(descriptor: number): Promise<void> {
    return this.conn(descriptor).closeWrite();
  }

  async close(descriptor: number): Promise<void> {
    const open = this.#forget(descriptor);
    try {
      await open?.conn?.close();
    } finally {
      await open?.socket?.close();
    }
  }

  /** Ends a socket at once, without draining; its port or endpoint is free a moment later. */
  abort(descriptor: number, reason: string): void {
    const open = this.#forget(descriptor);
    open?.conn?.abort(reason);
    open?.socket?.close().catch(() => {}); // It is given up in any case.
  }

  /** The stream of a connected socket; every socket is also a Conn. */
  conn(descriptor: number): Conn {
    const conn = this.#table.get(descriptor).conn;
    assert(conn !== null, `descriptor ${descriptor} is not connected`);
    return conn;
  }

  /** Puts a connection over that of a connected socket: it has all bytes from now on. */
  wrap(descriptor: number, over: (conn: Conn) => Conn): void {
    const conn = this.conn(descriptor);
    const open = this.#table.get(descriptor);
    this.#closedBytes[familyOf(descriptor)] += bytesOf(conn);
    open.conn = over(conn);
  }

  channelBytes(): ChannelTotals {
    const totals = { ...this.#closedBytes };
    for (const descriptor of this.#table.descriptors()) {
      totals[familyOf(descriptor)] += bytesOf(this.#table.get(descriptor).conn);
    }
    return { networkBytes: totals.AF_INET, storageBytes: totals.AF_STP };
  }

  /** Aborts whatever is still open. @throws what closing a socket throws, after closing all */
  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#table.descriptors().map(async (descriptor) => {
      const open = this.#forget(descriptor);
      open?.conn?.abort("the job ended");
      await open?.socket?.close();
    });
    const failed = (await Promise.allSettled(closing)).find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #unconnected(descriptor: number): MechanismSocket {
    const { socket, conn } = this.#table.get(descriptor);
    assert(socket !== null && conn === null, `descriptor ${descriptor} is already connected`);
    return socket;
  }

  #forget(descriptor: number): OpenSocket | undefined {
    const open = this.#table.remove(descriptor);
    if (open?.conn) this.#closedBytes[familyOf(descriptor)] += bytesOf(open.conn);
    return open;
  }
}

function bytesOf(conn: Conn | null): number {
  return conn === null ? 0 : conn.counters.sentBytes + conn.counters.receivedBytes;
}
