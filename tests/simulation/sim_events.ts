// What happens to the hosts and volumes of a run, by the fault classes that it has: pauses,
// crashes, rivals for a host id, volumes that die.
//
// Invariants: at most one pause per process at a time; what was stopped continues by itself.

import { AgentError } from "../../transport/ground/error.ts";
import { StgMember } from "../../transport/stp/mod.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { SimHost } from "./sim_host.ts";
import { SIM_TIMING, type SimWorld } from "./sim_world.ts";

export class SimEvents {
  readonly #world: SimWorld;
  readonly #hosts: readonly [SimHost, ...SimHost[]];
  readonly #random: SeededRandom;
  /** Host id -> when its process last continued or crashed. */
  readonly #troubledMs = new Map<number, number>();

  constructor(world: SimWorld, hosts: readonly [SimHost, ...SimHost[]]) {
    this.#world = world;
    this.#hosts = hosts;
    this.#random = world.random.fork();
  }

  /** Plans everything. */
  start(): void {
    const { classes } = this.#world.faults.plan;
    const { deadMs } = SIM_TIMING;
    if (classes.has("pause_short")) {
      this.#often(3, () => this.#pause(this.#random.between(5, deadMs * 0.45)));
    }
    if (classes.has("pause_long")) {
      this.#often(1, () => this.#pause(this.#random.between(deadMs * 1.1, deadMs * 3)));
    }
    if (classes.has("crash")) this.#often(2, () => this.#crash());
    if (classes.has("kill_worker")) this.#often(3, () => this.#killWorker());
    if (classes.has("rival")) this.#often(2, () => this.#rival());
    if (classes.has("flip_medium")) this.#often(6, () => this.#world.flipAtRest(this.#random));
    if (classes.has("dead_volume")) this.#often(1, () => this.#killVolume());
  }

  #often(most: number, happen: () => void): void {
    const { clock, faults } = this.#world;
    const spanMs = faults.plan.stopMs - clock.nowMs;
    for (let i = 0; i <= this.#random.below(most); i++) {
      clock.after(this.#random.next() ** 2 * spanMs, happen);
    }
  }

  #pause(ms: number): void {
    const { clock, trace } = this.#world;
    const host = this.#random.pick(this.#hosts);
    const { process } = host;
    if (process.state !== "running") return;
    trace.note("stop", process.name, ms);
    host.stop();
    this.#troubledMs.set(host.hostId, Infinity);
    clock.after(ms, () => {
      trace.note("continue", process.name);
      this.#troubledMs.set(host.hostId, clock.nowMs);
      host.continue();
    });
  }

  #crash(): void {
    const host = this.#random.pick(this.#hosts);
    this.#world.trace.note("crash", host.process.name);
    this.#troubledMs.set(host.hostId, this.#world.clock.nowMs);
    host.crash();
  }

  #killWorker(): void {
    const { worker } = this.#random.pick(this.#hosts);
    if (worker === null) return;
    this.#world.trace.note("kill", worker.name);
    worker.crash();
  }

  #killVolume(): void {
    const { faults, layout, clock, trace } = this.#world;
    const index = this.#random.below(layout.volumeCount);
    const hostName = this.#random.pick(["", "h1", "h2"]);
    trace.note("dead-volume", hostName, index);
    faults.dead.set(index, hostName);
    if (!this.#random.chance(0.5)) return;
    clock.after(this.#random.between(100, 3000), () => faults.dead.delete(index));
  }

  /** Another process claims the id of a host; it must not get the id of one that lives. */
  async #rival(): Promise<void> {
    const world = this.#world;
    const { trace, clock } = world;
    const host = this.#random.pick(this.#hosts);
    const victim = host.member;
    if (victim === null) return;
    const process = world.process(`rival${host.hostId}`);
    world.rules.admit(process, host.hostId);
    const medium = world.mediumOf(process, host.hostId);
    const startMs = clock.nowMs;
    trace.note("rival", process.name);
    try {
      const holder = { hostId: host.hostId, hostName: process.name };
      const member = await StgMember.join({ ...medium, ...holder });
      world.rules.holds(process, host.hostId, member.claim.generation);
      trace.note("rival-won", process.name);
      const quietMs = startMs - 2 * SIM_TIMING.deadMs;
      const troubled = (this.#troubledMs.get(host.hostId) ?? 0) > quietMs;
      if (host.member === victim && !troubled && !this.#volumesFail()) {
        trace.breakRule(`${process.name} took the id of a host that lives`);
      }
      await process.sleep(this.#random.between(0, 1500));
      await member.close();
    } catch (error) {
      if (error instanceof AgentError) return trace.note(`rival-${error.code}`, process.name);
      trace.breakRule(`${process.name}: ${String(error)}`);
    }
  }

  /** A host that cannot write its heartbeat loses its id, and should. */
  #volumesFail(): boolean {
    const { classes } = this.#world.faults.plan;
    return classes.has("dead_volume") || classes.has("io_error") || classes.has("late");
  }
}
