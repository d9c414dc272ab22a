// A simulated host: a daemon that joins the group and runs a worker, and starts again what died.
//
// Life: boot -> join (again until it works) -> worker -> leave. A crash ends it anywhere, and the
// next process of the host goes on with what is left to do; so does a new worker after a killed one.
//
// Invariant: the main process beats and leases endpoints, the worker carries the connections, each
// with volume handles of its own, as in the product.

import { type EndpointLease, StgMember, StpMechanism } from "../../transport/stp/mod.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { SimProcess } from "./sim_process.ts";
import { isOperating, RETRY_MS, SimWorker, TRIES_MS, type Work } from "./sim_worker.ts";
import type { SimWorld } from "./sim_world.ts";

/** How long the daemon takes to see that its worker is gone, at most, in ms. */
const NOTICE_MS = 100;

export interface SimHostOptions {
  readonly world: SimWorld;
  readonly hostId: number;
  readonly peerId: number;
  /** Connections that it makes. */
  readonly connections: number;
  /** A crashed daemon is started again. */
  readonly restarts: boolean;
}

export class SimHost {
  readonly hostId: number;
  process: SimProcess;
  /** While the host is in the group. */
  member: StgMember | null = null;
  worker: SimProcess | null = null;
  /** Settles when it has made its connections, or never will. */
  readonly connected: Promise<void>;
  readonly #options: SimHostOptions;
  readonly #random: SeededRandom;
  readonly #work: Work;
  #boots = 0;
  #workers = 0;
  #finishing = false;
  #end: () => void = () => {};
  #onConnected: () => void = () => {};

  constructor(options: SimHostOptions) {
    this.#options = options;
    this.hostId = options.hostId;
    this.#work = { left: options.connections };
    this.#random = options.world.random.fork();
    this.connected = new Promise((resolve) => this.#onConnected = resolve);
    this.process = this.#boot();
  }

  /** Settles when the host has left, or crashed for good. */
  async run(): Promise<void> {
    const { world, restarts } = this.#options;
    for (;;) {
      const crashed = this.process.gone.then(() => "crashed");
      const how = await Promise.race([this.#live(this.process), crashed]);
      if (how !== "crashed" || !restarts) break;
      await world.sleep(this.#random.between(10, 1500));
      this.process = this.#boot();
    }
    this.#onConnected();
  }

  /** Lets its connections come to their end, and then leave. */
  finish(): void {
    this.#finishing = true;
    this.process.deliver(() => this.#end());
  }

  /** SIGSTOP and SIGCONT take the whole process, threads and all. */
  stop(): void {
    this.process.stop();
    this.worker?.stop();
  }

  continue(): void {
    this.process.continue();
    this.worker?.continue();
  }

  crash(): void {
    this.member = null;
    this.process.crash();
    this.worker?.crash();
  }

  #boot(): SimProcess {
    const { world, hostId } = this.#options;
    this.worker = null;
    const process = world.process(`h${hostId}.${++this.#boots}`);
    world.rules.admit(process, hostId);
    return process;
  }

  async #live(process: SimProcess): Promise<"done"> {
    for (;;) {
      const member = await this.#join(process);
      if (member === null) return "done";
      let lost = false;
      member.onLost(() => {
        lost = true;
        this.member = null;
        this.#end();
      });
      await this.#runWorkers(process, member, () => lost || this.#finishing);
      this.member = null;
      // The daemon ends its workers before it gives the id back.
      this.worker?.crash();
      await member.close();
      if (!lost) return "done";
    }
  }

  /** @returns null when it never worked */
  async #join(process: SimProcess): Promise<StgMember | null> {
    const { world, hostId } = this.#options;
    for (;;) {
      try {
        const medium = world.mediumOf(process, hostId);
        const member = await StgMember.join({ ...medium, hostId, hostName: process.name });
        world.rules.holds(process, hostId, member.claim.generation);
        this.member = member;
        return member;
      } catch (error) {
        if (!isOperating(world, process, "join", error)) return null;
        if (world.clock.nowMs > world.faults.plan.stopMs + TRIES_MS) {
          world.gaveUp(process, "join");
          return null;
        }
        await process.sleep(RETRY_MS);
      }
    }
  }

  /** Runs workers until one of them came to its end. */
  async #runWorkers(
    process: SimProcess,
    member: StgMember,
    isOver: () => boolean,
  ): Promise<void> {
    const { world } = this.#options;
    do {
      try {
        const lease = member.lease(world.layout.endpointsPerHost);
        const worker = this.#startWorker(process, member, lease);
        if (isOver()) this.#end();
        const killed = worker.process.gone.then(() => "killed");
        if (await Promise.race([worker.over, killed]) !== "killed") return;
        await process.sleep(this.#random.between(0, NOTICE_MS));
        await member.release(lease);
      } catch (error) {
        if (!isOperating(world, process, "lease", error)) return;
        await process.sleep(RETRY_MS);
      }
    } while (!isOver());
  }

  #startWorker(main: SimProcess, member: StgMember, lease: EndpointLease) {
    const { world, hostId, peerId } = this.#options;
    const process = world.process(`${main.name}.w${++this.#workers}`);
    world.rules.admit(process, hostId);
    const medium = world.mediumOf(process, hostId);
    const mechanism = new StpMechanism({ ...medium, claim: member.claim, lease });
    const ending = new AbortController();
    this.worker = process;
    // Another thread: it hears of it when it runs, or never.
    this.#end = () => process.deliver(() => ending.abort());
    const worker = new SimWorker({
      world,
      hostId,
      peerId,
      process,
      mechanism,
      work: this.#work,
      random: this.#random.fork(),
      ending: ending.signal,
    });
    return { process, over: worker.run(this.#onConnected).then(() => "over") };
  }
}
