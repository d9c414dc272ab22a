// This host's membership in a group: holds the host id, beats on every volume, leases endpoints
// to the workers. One per group, in the main thread of the daemon, away from bulk data.
//
// Life cycle: join -> (lease, release)* -> close. `close` marks the host detached.
//
// Invariants: heartbeat.ts beats and finds out when the id is lost; nothing is leased then. An
// endpoint that a worker left open is ended before it can be leased again (endpoint_ending.ts).

import { withDeadline } from "../ground/deadline.ts";
import { AgentError } from "../ground/error.ts";
import type { ProcessTable } from "../runtime/process_table.ts";
import { ControlArea } from "./control_area.ts";
import { ControlBlock, controlBlockImage } from "./control_block.ts";
import { EndpointEnding, maySettleLate } from "./endpoint_ending.ts";
import {
  type EndpointLease,
  LeaseBook,
  leaseGeneration,
  type QuarantinedEndpoint,
} from "./endpoint_lease.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { HostBlock } from "./host_block.ts";
import { claimHost } from "./host_claim.ts";
import { writeHostBlock } from "./host_table.ts";
import { HostsObserver, type HostStatus } from "./hosts_observer.ts";
import { readOwnBlock } from "./own_control.ts";
import { controlBlockOffset } from "./stg_layout.ts";
import { checkName } from "./stg_format.ts";
import { type HostClaim, type StgMedium, stgMedium, type StgMediumOptions } from "./stg_medium.ts";
import { assembleStatus, type StgStatus } from "./stg_status.ts";
import { writeVolume } from "./volume_io.ts";

export interface JoinOptions extends StgMediumOptions {
  /** 1 .. maxHosts of the layout. */
  readonly hostId: number;
  readonly hostName: string;
  /** Lets an id whose process is gone be taken at once. */
  readonly processes?: ProcessTable | undefined;
  /** Ends the wait for a holder that may be dead. */
  readonly signal?: AbortSignal | undefined;
}

export class StgMember implements AsyncDisposable {
  readonly claim: HostClaim;
  readonly #medium: StgMedium;
  readonly #block: HostBlock;
  readonly #leases: LeaseBook;
  readonly #observer: HostsObserver;
  readonly #heart: Heartbeat;
  /** Of the status, by host: an idle daemon looks every few seconds. */
  readonly #areas = new Map<number, ControlArea>();
  /** Endpoint -> the end of what its last worker left open. */
  readonly #endings = new Map<number, EndpointEnding>();
  #closed: Promise<void> | null = null;

  private constructor(medium: StgMedium, block: HostBlock) {
    this.#medium = medium;
    this.#block = block;
    const { hostId, name: hostName, generation, claim } = block;
    this.claim = { hostId, hostName, generation, claim };
    this.#leases = new LeaseBook(medium.identity.name, medium.identity.layout.endpointsPerHost);
    this.#observer = new HostsObserver(medium.timing, medium.volumes.map(({ name }) => name));
    this.#heart = new Heartbeat(medium, block, this.#observer);
  }

  /**
   * Claims the host id and starts to beat. Takes the holder's dead time when the id was not given
   * back in order and its process is not known to be gone.
   * @throws AgentError `busy` (a live process has the id), `usage`, `volume`, `cancelled`
   */
  static async join(options: JoinOptions): Promise<StgMember> {
    const medium = stgMedium(options);
    const { name, layout } = medium.identity;
    checkName("host", options.hostName);
    if (!(options.hostId >= 1 && options.hostId <= layout.maxHosts)) {
      throw new AgentError(
        "usage",
        `Cannot join storage transport group "${name}": host ${options.hostId}, ` +
          `need 1 to ${layout.maxHosts}`,
      );
    }
    const member = new StgMember(medium, await claimHost(medium, options));
    member.#heart.start();
    try {
      for (let endpoint = 0; endpoint < layout.endpointsPerHost; endpoint++) {
        await member.#resetEndpoint(endpoint);
      }
    } catch (error) {
      await member.close();
      throw error;
    }
    return member;
  }

  /** Called once, when the id is lost; at once when it already is. */
  onLost(handler: (error: AgentError) => void): void {
    this.#heart.onLost(handler);
  }

  /** Endpoints and ports for one worker. @throws AgentError `busy` */
  lease(endpointCount: number): EndpointLease {
    if (this.#heart.lost !== null) throw this.#heart.lost;
    return this.#leases.lease(endpointCount, this.#medium.clock.monotonicMs());
  }

  /**
   * Ends what the worker may have left open, and takes the endpoints back, also when some of them
   * cannot be ended. Idempotent.
   * @throws AgentError `volume`
   */
  async release(lease: EndpointLease): Promise<void> {
    if (!this.#leases.holds(lease.leaseId)) return;
    const failures: unknown[] = [];
    for (const endpoint of lease.endpoints) {
      await this.#endEndpoint(endpoint, lease).catch((error: unknown) => failures.push(error));
    }
    if (this.#leases.holds(lease.leaseId)) this.#leases.release(lease.leaseId);
    if (failures.length > 0) throw failures[0];
  }

  /** All hosts of the group as this one sees them by its beats. */
  hosts(): HostStatus[] {
    return this.#observer.status(this.#medium.clock.monotonicMs());
  }

  /** The endpoints that no connection may use for a while yet. */
  quarantined(): QuarantinedEndpoint[] {
    return this.#leases.quarantined(this.#medium.clock.monotonicMs());
  }

  /** One at a time. @throws AgentError `volume` */
  async status(): Promise<StgStatus> {
    return await assembleStatus(this.#medium, this.hosts(), this.#areas);
  }

  /** Stops beating and gives the id back. Idempotent; does not throw. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const [quiet] = await Promise.all([this.#stopEndings(), this.#heart.stop()]);
    if (this.#heart.lost !== null) return; // the block is another's now, or out of reach
    if (!quiet) return; // A write of ours may still land: others wait for the dead time.
    const { identity, clock, timing, volumes } = this.#medium;
    const detached = { ...this.#block, attached: false };
    const action = `give back host ${this.claim.hostId}`;
    await Promise.all(volumes.map(async (volume) => {
      try {
        await withDeadline(clock, { timeoutMs: timing.deadMs / 2, action }, async () => {
          await writeHostBlock(identity, volume, detached);
        });
      } catch {
        // A volume that is gone shows a host that stopped beating: others wait a little longer.
      }
    }));
  }

  /** @returns false when one of them is still under way after half of the dead time */
  async #stopEndings(): Promise<boolean> {
    const { clock, timing } = this.#medium;
    const timer = new AbortController();
    const late = clock.sleep(timing.deadMs / 2, { signal: timer.signal }).then(
      () => false,
      () => false,
    );
    const stopped = Promise.all([...this.#endings.values()].map((ending) => ending.stop()));
    try {
      return await Promise.race([stopped.then(() => true), late]);
    } finally {
      timer.abort();
    }
  }

  async #endEndpoint(endpoint: number, lease: EndpointLease): Promise<void> {
    const earlier = this.#endings.get(endpoint);
    // Then the worker of this lease did not use it: what is there is of an earlier one.
    if (earlier?.repeating) return;
    await earlier?.stop();
    const ending = new EndpointEnding({
      medium: this.#medium,
      claim: this.claim,
      endpoint,
      leaseGeneration: leaseGeneration(lease),
      mayWrite: () => this.#closed === null && this.#heart.mayWrite(),
    });
    this.#endings.set(endpoint, ending);
    let more = true;
    try {
      more = await ending.tell(await this.#quarantineLeft(endpoint));
    } finally {
      // A write that is under way at the end has a while to land before the endpoint is used.
      const { clock, timing } = this.#medium;
      const held = this.quarantined().find((one) => one.endpoint === endpoint);
      const untilMs = clock.monotonicMs() + (held?.forMs ?? 0) - timing.deadMs / 4;
      if (more && untilMs > clock.monotonicMs()) ending.repeat(untilMs);
    }
  }

  /** @returns what was left, null when it cannot be read */
  async #quarantineLeft(endpoint: number): Promise<ControlBlock | null> {
    let left: ControlBlock | null = null;
    try {
      left = await readOwnBlock(this.#medium, this.claim.hostId, endpoint);
    } finally {
      // Out of reach, or torn by a write that is under way: it may be that of a connection.
      if (left === null) this.#quarantineUnknown(endpoint);
    }
    // Who took the id from us uses the endpoint now: its connection is none of ours.
    if (left?.self.boot === this.claim.generation) this.#quarantineUndrained(endpoint, left);
    return left;
  }

  /** A new claim starts with endpoints that carry its generation and nothing of the old one. */
  async #resetEndpoint(endpoint: number): Promise<void> {
    const { identity, controlVolume } = this.#medium;
    const { hostId, generation } = this.claim;
    const left = await readOwnBlock(this.#medium, hostId, endpoint);
    this.#quarantineUndrained(endpoint, left);
    const block = new ControlBlock();
    block.self = { host: hostId, endpoint, boot: generation, generation: 0 };
    block.undrained = left !== null && maySettleLate(this.#medium, left);
    const offset = controlBlockOffset(identity.layout, hostId, endpoint);
    await writeVolume(controlVolume, offset, controlBlockImage(block));
  }

  /** A write to the slots of an endpoint whose owner ended without a word may still land. */
  #quarantineUndrained(endpoint: number, left: ControlBlock | null): void {
    if (left === null || !maySettleLate(this.#medium, left)) return;
    // Generation 0 of our own claim is a use by an earlier process, which is known already.
    const own = left.self.boot === this.claim.generation;
    if (own && left.self.generation === 0) return;
    this.#leases.quarantine(endpoint, this.#quarantineEndMs(), own ? left.self.generation : 0);
  }

  #quarantineUnknown(endpoint: number): void {
    if (this.#retains()) return;
    this.#leases.quarantine(endpoint, this.#quarantineEndMs(), null);
  }

  #quarantineEndMs(): number {
    const { clock, timing } = this.#medium;
    return clock.monotonicMs() + timing.quarantineMs;
  }

  /** Volumes that retain are memory of this machine: nothing outlives its writer there. */
  #retains(): boolean {
    return this.#medium.volumes.every((volume) => volume.retains);
  }
}
