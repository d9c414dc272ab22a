// A simulated host: a daemon that joins the group, listens or connects, and starts again when it
// crashed or lost its id.
//
// Life: boot -> join (again until it works) -> serve -> leave; a crash ends it anywhere, and the
// next process of the host goes on with what is left to do.
//
// Invariants: a process that crashed takes no part any more. Every error that reaches the daemon
// is an operating error.

import { AgentError } from "../../transport/ground/error.ts";
import type { EndpointId } from "../../transport/stp/control_block.ts";
import { StgMember, type StpConn, StpMechanism } from "../../transport/stp/mod.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { SimProcess } from "./sim_process.ts";
import { type Session, SIM_TIMING, type SimWorld } from "./sim_world.ts";
import { StreamSession } from "./stream_session.ts";

const PORT = 7000;
/** Between two tries of a daemon to join, or of a program to connect. */
const RETRY_MS = 150;
const CONNECT_MS = 1500;
/** How long after the last fault a daemon goes on trying. */
const TRIES_MS = 12_000;

export interface SimHostOptions {
  readonly world: SimWorld;
  readonly hostId: number;
  /** Of the listening host. */
  readonly listenerId: number;
  /** Connections that it makes; 0 for the listener. */
  readonly connections: number;
  /** A crashed daemon is started again. */
  readonly restarts: boolean;
}

/** One run of the daemon between joining and leaving the group. */
interface Membership {
  readonly process: SimProcess;
  readonly member: StgMember;
  readonly mechanism: StpMechanism;
  /** Fires when the id is lost. */
  readonly lost: AbortSignal;
}

export class SimHost {
  readonly hostId: number;
  process: SimProcess;
  member: StgMember | null = null;
  readonly #options: SimHostOptions;
  readonly #random: SeededRandom;
  #boots = 0;
  #left: number;
  #finishing = false;
  #finish: (() => void) | null = null;

  constructor(options: SimHostOptions) {
    this.#options = options;
    this.hostId = options.hostId;
    this.#left = options.connections;
    this.#random = options.world.random.fork();
    this.process = this.#boot();
  }

  /** Settles when the host has done its work, or crashed for good. */
  async run(): Promise<void> {
    const { world, restarts } = this.#options;
    for (;;) {
      const crashed = this.process.gone.then(() => "crashed");
      const how = await Promise.race([this.#live(this.process), crashed]);
      if (how !== "crashed" || !restarts) return;
      await world.sleep(this.#random.between(10, 1500));
      this.process = this.#boot();
    }
  }

  /** Asks a listener to serve what it has, and to leave. */
  finish(): void {
    this.#finishing = true;
    this.process.deliver(() => this.#finish?.());
  }

  get #triesEnd(): number {
    return this.#options.world.faults.plan.stopMs + TRIES_MS;
  }

  #boot(): SimProcess {
    const { world, hostId } = this.#options;
    this.member = null;
    const process = world.process(`h${hostId}.${++this.#boots}`);
    world.rules.admit(process, hostId);
    return process;
  }

  async #live(process: SimProcess): Promise<"done"> {
    for (;;) {
      const membership = await this.#join(process);
      if (membership === null) return "done";
      if (this.#options.connections > 0) await this.#connectAll(membership);
      else await this.#listen(membership);
      this.member = null;
      await membership.member.close();
      if (!membership.lost.aborted) return "done";
    }
  }

  /** @returns null when it never worked */
  async #join(process: SimProcess): Promise<Membership | null> {
    const { world, hostId } = this.#options;
    const { identity, random, layout } = world;
    if (identity === null) throw new Error("formatted first");
    const volumes = world.open(process, `h${hostId}`);
    const medium = { identity, volumes, clock: process, random, timing: SIM_TIMING };
    for (;;) {
      try {
        const member = await StgMember.join({ ...medium, hostId, hostName: process.name });
        const losing = new AbortController();
        member.onLost(() => losing.abort());
        this.member = member;
        world.rules.holds(process, hostId, member.claim.generation);
        const lease = member.lease(layout.endpointsPerHost);
        const mechanism = new StpMechanism({ ...medium, claim: member.claim, lease });
        return { process, member, mechanism, lost: losing.signal };
      } catch (error) {
        if (!this.#isOperating(process, "join", error)) return null;
        if (world.clock.nowMs > this.#triesEnd) return this.#giveUp("join");
        await process.sleep(RETRY_MS);
      }
    }
  }

  async #listen({ process, mechanism, lost }: Membership): Promise<void> {
    const { world } = this.#options;
    const stopping = new AbortController();
    this.#finish = () => stopping.abort();
    if (this.#finishing) stopping.abort();
    const signal = AbortSignal.any([stopping.signal, lost]);
    const playing = new Set<Promise<void>>();
    while (!signal.aborted) {
      try {
        const socket = mechanism.STPsocket();
        await socket.bind({ family: "AF_STP", stg: "sim", host: this.hostId, port: PORT });
        await socket.listen({ backlog: 4, token: world.token });
        try {
          for (;;) {
            const { conn } = await socket.accept({ signal });
            const session = world.session(keyOf(conn.ids.peer));
            playing.add(this.#play(process, conn, session, "listener"));
          }
        } finally {
          await socket.close();
        }
      } catch (error) {
        if (signal.aborted) break;
        if (!this.#isOperating(process, "listen", error)) break;
        if (world.clock.nowMs > this.#triesEnd) break;
        await process.sleep(RETRY_MS);
      }
    }
    await Promise.all(playing);
  }

  async #connectAll(membership: Membership): Promise<void> {
    const playing = new Set<Promise<void>>();
    const { process, lost } = membership;
    while (this.#left > 0 && !lost.aborted) {
      const conn = await this.#connect(membership);
      if (conn === null) {
        if (!lost.aborted) this.#left = 0;
        break;
      }
      this.#left--;
      const session = this.#options.world.session(keyOf(conn.ids.local));
      const playingOne = this.#play(process, conn, session, "connector");
      playing.add(playingOne);
      if (this.#random.chance(0.5)) await playingOne;
    }
    await Promise.all(playing);
  }

  /** Tries until it works. @returns null when the id is lost, or it never works */
  async #connect({ process, mechanism, lost }: Membership): Promise<StpConn | null> {
    const { world, listenerId } = this.#options;
    const to = { family: "AF_STP", stg: "sim", host: listenerId, port: PORT } as const;
    while (!lost.aborted) {
      const wrong = this.#random.chance(0.05);
      const token = wrong ? this.#random.bytes(16) : world.token;
      const socket = mechanism.STPsocket();
      try {
        await socket.connect(to, { timeoutMs: CONNECT_MS, token });
        if (!wrong) return socket.conn;
        world.trace.breakRule(`${process.name} connected with a wrong token`);
        return null;
      } catch (error) {
        await socket.close();
        if (!this.#isOperating(process, "connect", error)) return null;
        if (world.clock.nowMs > this.#triesEnd) return this.#giveUp("connect");
        await process.sleep(RETRY_MS * this.#random.next());
      }
    }
    return null;
  }

  async #play(
    process: SimProcess,
    conn: StpConn,
    session: Session,
    role: "connector" | "listener",
  ): Promise<void> {
    const own = session[role];
    const other = session[role === "connector" ? "listener" : "connector"];
    const plan = session.plans[role];
    const random = this.#random.fork();
    await new StreamSession({ conn, plan, own, other, process, random }).play();
    session.played++;
  }

  /** Says so; in a run that must heal it is a broken rule. */
  #giveUp(what: string): null {
    const { trace, strict } = this.#options.world;
    trace.note(`gave-up-${what}`, this.process.name);
    if (strict) trace.breakRule(`${this.process.name} could not ${what}`);
    return null;
  }

  #isOperating(process: SimProcess, what: string, error: unknown): boolean {
    const { trace } = this.#options.world;
    if (error instanceof AgentError) {
      trace.note(`${what}-${error.code}`, process.name);
      return true;
    }
    trace.breakRule(`${process.name} could not ${what}: ${String(error)}`);
    return false;
  }
}

function keyOf(id: EndpointId): string {
  return `${id.host}/${id.endpoint}/${id.boot}/${id.generation}`;
}
