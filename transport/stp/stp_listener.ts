// A listening STP socket: finds connectors in the control areas of the live hosts, checks their
// token, and answers each with an endpoint of its own.
//
// Life cycle: open -> (accept)* -> close. Connections wait in a queue of at most `backlog`;
// connectors beyond that stay unanswered until there is room or their time is up.
//
// Invariants: each attempt (endpoint and generation) is answered once. A wrong token gets a
// refusal and costs no endpoint.

import type { Address, Listener, WaitOptions } from "../conn.ts";
import { cancellation } from "../ground/cancellation.ts";
import { AgentError } from "../ground/error.ts";
import { ControlArea } from "./control_area.ts";
import { type ControlBlock, type EndpointId, sameEndpoint } from "./control_block.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import type { FrameBudget } from "./frame_budget.ts";
import { type HostTable, readHostTable } from "./host_table.ts";
import { IdleLadder } from "./idle_ladder.ts";
import { BACKLOG_MAX, REFUSALS_MAX } from "./limits.ts";
import type { OwnControl } from "./own_control.ts";
import type { StgMedium } from "./stg_medium.ts";
import { StpConn } from "./stp_conn.ts";
import type { ThreadTurns } from "./thread_turns.ts";
import { sameProof, tokenProof } from "./token_proof.ts";
import type { WriteFence } from "./write_fence.ts";

/** How often the listener looks which hosts are attached, in ms. */
const HOST_TABLE_MS = 200;

export interface StpListenerOptions {
  readonly medium: StgMedium;
  readonly pool: EndpointPool;
  readonly turns: ThreadTurns;
  readonly fence: WriteFence;
  readonly budget: FrameBudget;
  readonly own: OwnControl;
  readonly port: number;
  readonly backlog: number;
  /** Without one every connector is taken. */
  readonly token?: Uint8Array | undefined;
}

export class StpListener implements Listener {
  readonly addr: Address;
  readonly #options: StpListenerOptions;
  readonly #area: ControlArea;
  readonly #backlog: number;
  readonly #queue: StpConn[] = [];
  /** The newest attempt that was answered, by host and endpoint: bounded by the layout. */
  readonly #answered = new Map<string, EndpointId>();
  readonly #stopping = new AbortController();
  readonly #waiters = new Set<() => void>();
  #hosts: HostTable = new Map();
  #hostsMs = -Infinity;
  #failure: unknown = null;
  #publishedMs = 0;
  #polling: Promise<void> = Promise.resolve();
  #closed: Promise<void> | null = null;

  private constructor(options: StpListenerOptions) {
    const { medium, own, port } = options;
    this.#options = options;
    this.#area = new ControlArea(medium);
    this.#backlog = Math.max(1, Math.min(options.backlog, BACKLOG_MAX));
    this.addr = { family: "AF_STP", stg: medium.identity.name, host: own.self.host, port };
  }

  /** Publishes the listening block and starts to poll. @throws AgentError `volume` */
  static async open(options: StpListenerOptions): Promise<StpListener> {
    const { own, port } = options;
    const listener = new StpListener(options);
    own.block.kind = "listening";
    own.block.localPort = port;
    await listener.#publish(own);
    listener.#polling = listener.#poll();
    return listener;
  }

  async accept(options: WaitOptions = {}): Promise<StpConn> {
    for (;;) {
      if (options.signal?.aborted) throw cancellation(options.signal);
      if (this.#closed !== null) throw closedError();
      if (this.#failure !== null) throw this.#failure;
      const conn = this.#queue.shift();
      if (conn === undefined) await this.#change(options.signal);
      else if (!(await conn.isGone())) { // a connector that gave up is skipped
        if (options.signal?.aborted !== true && this.#closed === null) return conn;
        this.#putBack(conn);
      }
    }
  }

  /** Nobody takes it here: the next accept does, unless there is none. */
  #putBack(conn: StpConn): void {
    if (this.#closed !== null) return conn.abort("the listener closed");
    this.#queue.unshift(conn);
    this.#wake();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const { own, pool, fence, medium } = this.#options;
    this.#stopping.abort();
    this.#wake();
    await this.#polling;
    for (const conn of this.#queue.splice(0)) conn.abort("the listener closed");
    own.block.kind = "free";
    try {
      await own.publishShown(fence, medium.clock);
    } catch {
      // The volume is gone: nobody can connect through it either.
    }
    pool.release(own, true);
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock } = this.#options.medium;
    const ladder = new IdleLadder();
    try {
      while (!signal.aborted) {
        if (await this.#pollHosts()) ladder.reset();
        await this.#publishAgain();
        const step = ladder.next(clock.monotonicMs());
        if (step === "sleep") await clock.sleep(ladder.sleepMs, { signal });
        else await this.#options.turns.give();
      }
    } catch (error) {
      if (!signal.aborted) this.#failure = error;
      this.#wake();
    }
  }

  #publish(own: OwnControl): Promise<void> {
    const { fence, medium } = this.#options;
    return own.publishBehind(fence, medium.clock.monotonicMs());
  }

  /** A listening block that was lost or damaged would make the port unreachable for ever. */
  async #publishAgain(): Promise<void> {
    const { clock, timing } = this.#options.medium;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#publishedMs < timing.watchMs) return;
    this.#publishedMs = nowMs;
    await this.#publish(this.#options.own);
  }

  /** @returns true when somebody was answered */
  async #pollHosts(): Promise<boolean> {
    const { clock, identity, controlVolume } = this.#options.medium;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#hostsMs >= HOST_TABLE_MS) {
      this.#hosts = await readHostTable(identity, controlVolume);
      this.#hostsMs = nowMs;
    }
    let answered = false;
    for (const host of this.#hosts.values()) {
      if (!host.attached) continue;
      for (const block of await this.#area.read(host.hostId, host.generation)) {
        if (this.#stopping.signal.aborted) return answered;
        if (this.#isForUs(block) && await this.#answer(block)) answered = true;
      }
    }
    return answered;
  }

  #isForUs(block: ControlBlock): boolean {
    const { own, port } = this.#options;
    if (block.kind !== "connecting" || block.peerPort !== port) return false;
    if (!sameEndpoint(block.peer, own.self)) return false;
    const known = this.#answered.get(keyOf(block.self));
    if (known === undefined || known.boot !== block.self.boot) return true;
    return block.self.generation > known.generation; // an older one is a stale read
  }

  /** @returns false when the connector has to wait */
  async #answer(block: ControlBlock): Promise<boolean> {
    const connector = block.self;
    if (!this.#tokenIsRight(block)) {
      this.#answered.set(keyOf(connector), connector);
      await this.#refuse(connector);
      return true;
    }
    if (this.#queue.length >= this.#backlog || !this.#options.pool.hasFree) return false;
    this.#answered.set(keyOf(connector), connector);
    this.#queue.push(await this.#establish(connector, block.localPort));
    this.#wake();
    return true;
  }

  #tokenIsRight(block: ControlBlock): boolean {
    const { token, medium, own, port } = this.#options;
    if (token === undefined) return true;
    const expected = tokenProof(token, {
      stgUuid: medium.identity.uuid,
      connector: block.self,
      listenerHost: own.self.host,
      listenerPort: port,
    });
    return sameProof(expected, block.tokenProof);
  }

  async #refuse(to: EndpointId): Promise<void> {
    const { block } = this.#options.own;
    block.refusals = [...block.refusals.slice(1 - REFUSALS_MAX), { to, reason: "auth" }];
    await this.#publish(this.#options.own);
  }

  async #establish(peer: EndpointId, peerPort: number): Promise<StpConn> {
    const { medium, pool, port, turns, fence, budget } = this.#options;
    const own = await pool.acquire();
    own.block.kind = "established";
    own.block.peer = peer;
    own.block.localPort = port;
    own.block.peerPort = peerPort;
    try {
      await this.#publish(own);
    } catch (error) {
      pool.release(own, true);
      throw error;
    }
    return new StpConn({
      medium,
      own,
      ids: { local: own.self, peer },
      turns,
      fence,
      budget,
      release: (drained) => pool.release(own, drained),
      localAddr: this.addr,
      remoteAddr: { family: "AF_STP", stg: medium.identity.name, host: peer.host, port: peerPort },
    });
  }

  /** Completes at the next change of the queue, on close, or when the signal fires. */
  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiters.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#waiters.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

function keyOf(id: EndpointId): string {
  return `${id.host}:${id.endpoint}`;
}

function closedError(): AgentError {
  return new AgentError("closed", "Cannot accept: the listener is closed, need an open one");
}
