// The storage mechanism (Fig. 3, item 60): STP sockets over one storage transport group, with the
// call names of the patent application (Fig. 4A, steps 142-146 and 162-172; Fig. 5, 202-212).
//
// One per worker and group. It uses only the endpoints and ports of its lease.
//
// Invariants: a port is bound by one socket of the host at a time. Calls in a wrong order are our
// own bugs (assert); everything else is an AgentError.

import type { Address, WaitOptions } from "../conn.ts";
import type { ConnectOptions, ListenOptions, Mechanism } from "../connect/mechanism.ts";
import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { ControlArea } from "./control_area.ts";
import type { EndpointLease } from "./endpoint_lease.ts";
import { EndpointPool } from "./endpoint_pool.ts";
import { FrameBudget } from "./frame_budget.ts";
import { BUDGET_BYTES, BUDGET_BYTES_DISTANT, PORT_MAX } from "./limits.ts";
import { windowFrames } from "./stg_layout.ts";
import { type HostClaim, type StgMedium, stgMedium, type StgMediumOptions } from "./stg_medium.ts";
import { connectStp } from "./stp_connect.ts";
import { StpListener } from "./stp_listener.ts";
import { type StpCalls, StpSocket } from "./stp_socket.ts";
import { ThreadTurns } from "./thread_turns.ts";
import { WriteFence } from "./write_fence.ts";

export interface StpMechanismOptions extends StgMediumOptions {
  readonly claim: HostClaim;
  readonly lease: EndpointLease;
}

export class StpMechanism implements Mechanism, StpCalls {
  readonly family = "AF_STP";
  readonly #medium: StgMedium;
  readonly #claim: HostClaim;
  readonly #pool: EndpointPool;
  readonly #turns: ThreadTurns;
  readonly #fence: WriteFence;
  readonly #budget: FrameBudget;
  readonly #boundPorts = new Set<number>();

  constructor(options: StpMechanismOptions) {
    this.#medium = stgMedium(options);
    this.#claim = options.claim;
    this.#pool = new EndpointPool(this.#medium, options.claim, options.lease);
    this.#turns = new ThreadTurns(options.clock);
    this.#fence = new WriteFence(this.#medium, options.claim);
    const { layout } = this.#medium.identity;
    const near = options.volumes.every((volume) => volume.retains);
    const frames = Math.floor((near ? BUDGET_BYTES : BUDGET_BYTES_DISTANT) / layout.payloadBytes);
    // Whoever laid out longer rings, or more volumes, wants them used.
    this.#budget = new FrameBudget(Math.max(frames, windowFrames(layout)));
  }

  socket(): StpSocket {
    return this.STPsocket();
  }

  STPsocket(): StpSocket {
    return new StpSocket(this, { ownsPort: true });
  }

  /**
   * Port 0 takes a dynamic port.
   * @throws AgentError `usage` (another group or host), `port_in_use`, `busy`, `volume`, `closed`
   */
  async STPbind(socket: StpSocket, address: Address): Promise<void> {
    assert(socket.state.kind === "new", "bind comes first");
    const { name } = this.#medium.identity;
    const { hostId } = this.#claim;
    if (address.family !== "AF_STP" || address.stg !== name || address.host !== hostId) {
      throw new AgentError(
        "usage",
        `Cannot bind a storage socket to ${JSON.stringify(address)}: another place, ` +
          `need host ${hostId} of group "${name}"`,
      );
    }
    const port = address.port === 0 ? this.#takePort() : await this.#claimPort(address.port);
    if (closedMeanwhile(socket)) {
      this.#releasePort(port);
      throw closedError("bind");
    }
    socket.state = { kind: "bound", addr: { ...address, port } };
  }

  /** @throws AgentError `busy` (no endpoint left), `port_in_use`, `volume` */
  async STPlisten(socket: StpSocket, options: ListenOptions): Promise<void> {
    const { state } = socket;
    assert(state.kind === "bound", "listen comes after bind");
    const { clock, timing } = this.#medium;
    const deadlineMs = clock.monotonicMs() + timing.quarantineMs;
    const own = await this.#pool.acquire({ deadlineMs });
    let listener: StpListener;
    try {
      listener = await StpListener.open({
        medium: this.#medium,
        pool: this.#pool,
        turns: this.#turns,
        fence: this.#fence,
        budget: this.#budget,
        own,
        port: state.addr.port,
        backlog: options.backlog,
        token: options.token,
      });
    } catch (error) {
      this.#pool.release(own, true);
      throw error;
    }
    if (closedMeanwhile(socket)) {
      await listener.close();
      throw closedError("listen");
    }
    socket.state = { kind: "listening", addr: state.addr, listener };
  }

  STPgetsockname(socket: StpSocket): Address {
    const { state } = socket;
    assert(state.kind !== "new" && state.kind !== "closed", "only a bound socket has a name");
    return state.addr;
  }

  /** @throws AgentError `refused`, `unreachable`, `auth`, `timeout`, `cancelled`, `usage`, … */
  async STPconnect(socket: StpSocket, address: Address, options: ConnectOptions): Promise<void> {
    const { name } = this.#medium.identity;
    if (address.family !== "AF_STP" || address.stg !== name) {
      throw new AgentError(
        "usage",
        `Cannot connect to ${JSON.stringify(address)}: not of group "${name}", need one of it`,
      );
    }
    if (socket.state.kind === "new") {
      await this.STPbind(socket, { ...address, host: this.#claim.hostId, port: 0 });
    }
    const { state } = socket;
    assert(state.kind === "bound", "connect comes after bind");
    const conn = await connectStp({
      medium: this.#medium,
      pool: this.#pool,
      turns: this.#turns,
      fence: this.#fence,
      budget: this.#budget,
      localPort: state.addr.port,
      to: address,
      timeoutMs: options.timeoutMs,
      token: options.token,
      signal: options.signal,
    });
    if (closedMeanwhile(socket)) {
      conn.abort("the socket was closed");
      throw closedError("connect");
    }
    socket.state = { kind: "connected", addr: state.addr, conn };
  }

  /** @throws AgentError `closed`, `cancelled`, `volume` */
  async STPaccept(socket: StpSocket, options?: WaitOptions): Promise<StpSocket> {
    const { state } = socket;
    if (state.kind === "closed") throw closedError("accept");
    assert(state.kind === "listening", "accept comes after listen");
    const conn = await state.listener.accept(options);
    const accepted = new StpSocket(this, { ownsPort: false });
    accepted.state = { kind: "connected", addr: state.addr, conn };
    return accepted;
  }

  /** @returns count of bytes accepted, at least one */
  STPsend(socket: StpSocket, from: Uint8Array, options?: WaitOptions): Promise<number> {
    return socket.conn.write(from, options);
  }

  /** @returns count of bytes read, null at the end of the stream */
  STPrecv(socket: StpSocket, into: Uint8Array, options?: WaitOptions): Promise<number | null> {
    return socket.conn.read(into, options);
  }

  /** Ends the outgoing direction. */
  STPshutdown(socket: StpSocket): Promise<void> {
    return socket.conn.closeWrite();
  }

  async STPclose(socket: StpSocket): Promise<void> {
    const { state } = socket;
    socket.state = { kind: "closed" };
    if (state.kind === "listening") await state.listener.close();
    if (state.kind === "connected") await state.conn.close();
    if (state.kind === "new" || state.kind === "closed" || !socket.ownsPort) return;
    this.#releasePort(state.addr.port);
  }

  #releasePort(port: number): void {
    this.#boundPorts.delete(port);
    this.#pool.releasePort(port);
  }

  /** The next dynamic port that nobody here has chosen; that one comes back when it is closed. */
  #takePort(): number {
    let port = this.#pool.takePort();
    while (this.#boundPorts.has(port)) port = this.#pool.takePort();
    this.#boundPorts.add(port);
    return port;
  }

  /**
   * A chosen port may be bound here, or by another worker of this host. What the volume shows of
   * our own endpoints may be out of date.
   */
  async #claimPort(port: number): Promise<number> {
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
      throw new AgentError("usage", `Cannot bind port ${port}: need 0 to ${PORT_MAX}`);
    }
    if (this.#boundPorts.has(port)) throw this.#inUse(port);
    // Taken before the look at the volume: another bind may come meanwhile.
    this.#boundPorts.add(port);
    try {
      const { hostId, generation } = this.#claim;
      const blocks = await new ControlArea(this.#medium).read(hostId, generation);
      const taken = blocks.some((block) =>
        block.kind === "listening" && block.localPort === port &&
        !this.#pool.leases(block.self.endpoint)
      );
      if (taken) throw this.#inUse(port);
      return port;
    } catch (error) {
      this.#boundPorts.delete(port);
      throw error;
    }
  }

  #inUse(port: number): AgentError {
    const { hostId } = this.#claim;
    return new AgentError(
      "port_in_use",
      `Cannot bind port ${port} of host ${hostId} in group "${this.#medium.identity.name}": ` +
        `another socket has it, need a free one`,
      { hint: "Bind port 0 for a dynamic port." },
    );
  }
}

/** True when `close` came while a call on the socket was under way. */
function closedMeanwhile(socket: StpSocket): boolean {
  return socket.state.kind === "closed";
}

function closedError(action: string): AgentError {
  return new AgentError("closed", `Cannot ${action}: the socket was closed, need an open one`);
}
