// The worker of a simulated daemon: accepts and opens connections over its lease and plays them.
//
// Invariants: every error that reaches it is an operating error. It comes to an end when it is
// asked to finish, or when its host lost the id; a killed worker just stops.

import { AgentError } from "../../transport/ground/error.ts";
import type { EndpointId } from "../../transport/stp/control_block.ts";
import type { StpConn, StpMechanism } from "../../transport/stp/mod.ts";
import type { Role } from "./end_watch.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { SimProcess } from "./sim_process.ts";
import type { Session, SimWorld } from "./sim_world.ts";
import { StreamSession } from "./stream_session.ts";

const PORT = 7000;
/** Between two tries of a daemon to join, or of a program to connect. */
export const RETRY_MS = 150;
/** How long after the last fault a daemon goes on trying. */
export const TRIES_MS = 12_000;
const CONNECT_MS = 1500;
/** Of the attempts to connect. */
const WRONG_TOKEN_RATE = 0.05;

/** Connections that a host still has to make; it outlives its workers. */
export interface Work {
  left: number;
}

export interface SimWorkerOptions {
  readonly world: SimWorld;
  readonly hostId: number;
  /** Of the host that it connects to. */
  readonly peerId: number;
  readonly process: SimProcess;
  readonly mechanism: StpMechanism;
  readonly work: Work;
  readonly random: SeededRandom;
  /** Fires when the id is lost, or when nobody connects any more. */
  readonly ending: AbortSignal;
}

export class SimWorker {
  readonly #options: SimWorkerOptions;
  readonly #playing = new Set<Promise<void>>();

  constructor(options: SimWorkerOptions) {
    this.#options = options;
  }

  /** Settles when every connection of the worker is over. */
  async run(onConnected: () => void): Promise<void> {
    await Promise.all([this.#listen(), this.#connectAll().then(onConnected)]);
    await Promise.all(this.#playing);
  }

  async #listen(): Promise<void> {
    const { world, process, ending } = this.#options;
    while (!ending.aborted) {
      try {
        await this.#acceptAll();
      } catch (error) {
        if (ending.aborted || !isOperating(world, process, "listen", error)) return;
        if (world.clock.nowMs > world.faults.plan.stopMs + TRIES_MS) return;
        await process.sleep(RETRY_MS);
      }
    }
  }

  async #acceptAll(): Promise<void> {
    const { world, hostId, mechanism, ending } = this.#options;
    const socket = mechanism.STPsocket();
    try {
      await socket.bind({ family: "AF_STP", stg: "sim", host: hostId, port: PORT });
      await socket.listen({ backlog: 4, token: world.token });
      for (;;) {
        const { conn } = await socket.accept({ signal: ending });
        this.#playing.add(this.#play(conn, world.session(keyOf(conn.ids.peer)), "listener"));
      }
    } finally {
      await socket.close();
    }
  }

  async #connectAll(): Promise<void> {
    const { world, work, random, ending } = this.#options;
    const playing: Promise<void>[] = [];
    while (work.left > 0 && !ending.aborted) {
      const conn = await this.#connect();
      if (conn === null) {
        if (!ending.aborted) work.left = 0;
        break;
      }
      work.left--;
      const session = world.session(keyOf(conn.ids.local));
      playing.push(this.#play(conn, session, "connector"));
      if (random.chance(0.5)) await playing.at(-1);
    }
    await Promise.all(playing);
  }

  /** Tries until it works. @returns null when the id is lost, or it never works */
  async #connect(): Promise<StpConn | null> {
    const { world, peerId, process, mechanism, random, ending } = this.#options;
    const to = { family: "AF_STP", stg: "sim", host: peerId, port: PORT } as const;
    while (!ending.aborted) {
      const wrong = random.chance(WRONG_TOKEN_RATE);
      const token = wrong ? random.bytes(16) : world.token;
      const socket = mechanism.STPsocket();
      try {
        await socket.connect(to, { timeoutMs: CONNECT_MS, token });
        if (!wrong) return socket.conn;
        world.trace.breakRule(`${process.name} connected with a wrong token`);
        return null;
      } catch (error) {
        await socket.close();
        if (!isOperating(world, process, "connect", error)) return null;
        if (world.clock.nowMs > world.faults.plan.stopMs + TRIES_MS) {
          world.gaveUp(process, "connect");
          return null;
        }
        await process.sleep(RETRY_MS * random.next());
      }
    }
    return null;
  }

  async #play(conn: StpConn, session: Session, role: Role): Promise<void> {
    const { process } = this.#options;
    const own = session[role];
    const other = session[role === "connector" ? "listener" : "connector"];
    const plan = session.plans[role];
    const random = this.#options.random.fork();
    const playing = new StreamSession({ conn, plan, own, other, process, random }).play();
    await this.#options.world.ends.watch({ process, session, role }, playing);
    session.played++;
  }
}

/** Notes an operating error; anything else is a broken rule. */
export function isOperating(
  world: SimWorld,
  process: SimProcess,
  what: string,
  error: unknown,
): boolean {
  if (error instanceof AgentError) {
    world.trace.note(`${what}-${error.code}`, process.name);
    world.trace.say(process.name, error.message);
    return true;
  }
  world.trace.breakRule(`${process.name} could not ${what}: ${String(error)}`);
  return false;
}

function keyOf(id: EndpointId): string {
  return `${id.host}/${id.endpoint}/${id.boot}/${id.generation}`;
}
