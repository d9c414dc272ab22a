// The endpoints and dynamic ports that one worker holds by its lease.
//
// Invariants:
//  1. Each use of an endpoint has a larger generation than every use before it in this claim of
//     the host, also by other workers: the block on the volume is read before the first use, and
//     each lease begins above what is likely in those before it: that block may be an older one.
//  2. An endpoint that came back last is used last.
//  3. An endpoint with a write whose end is not known stays in quarantine: the write may still land
//     in its slots. Endpoints without are used first; when only such are left, `acquire` waits.
//  4. The block of an earlier use is not written any more once the endpoint is used again.

import type { WaitOptions } from "../conn.ts";
import { AgentError } from "../ground/error.ts";
import { type EndpointLease, leaseGeneration } from "./endpoint_lease.ts";
import { OwnControl, readOwnBlock } from "./own_control.ts";
import type { HostClaim, StgMedium } from "./stg_medium.ts";

export interface AcquireOptions extends WaitOptions {
  /** On the medium's clock: until then a quarantined endpoint is waited for. */
  readonly deadlineMs?: number | undefined;
}

export class EndpointPool {
  readonly #medium: StgMedium;
  readonly #claim: HostClaim;
  readonly #free: number[];
  /** Endpoint -> when it may be used again. */
  readonly #quarantined = new Map<number, number>();
  readonly #generations = new Map<number, number>();
  /** No use of this lease has a smaller generation, or this one. */
  readonly #leaseGeneration: number;
  readonly #lastUses = new Map<number, OwnControl>();
  readonly #freePorts: number[];
  readonly #leased: ReadonlySet<number>;
  readonly #leasedPorts: ReadonlySet<number>;

  constructor(medium: StgMedium, claim: HostClaim, lease: EndpointLease) {
    const nowMs = medium.clock.monotonicMs();
    this.#medium = medium;
    this.#claim = claim;
    for (const { endpoint, forMs } of lease.quarantined ?? []) {
      this.#quarantined.set(endpoint, nowMs + forMs);
    }
    this.#free = lease.endpoints.filter((endpoint) => !this.#quarantined.has(endpoint));
    this.#leaseGeneration = leaseGeneration(lease);
    this.#freePorts = [...lease.ports];
    this.#leased = new Set(lease.endpoints);
    this.#leasedPorts = new Set(lease.ports);
  }

  leases(endpoint: number): boolean {
    return this.#leased.has(endpoint);
  }

  /** True when one can be had without a wait. */
  get hasFree(): boolean {
    this.#endQuarantines();
    return this.#free.length > 0;
  }

  /**
   * @throws AgentError `busy` when all are in use, or in quarantine until after the deadline;
   *   `cancelled`, `volume`
   */
  async acquire(options: AcquireOptions = {}): Promise<OwnControl> {
    const endpoint = await this.#take(options);
    try {
      return await this.#use(endpoint);
    } catch (error) {
      this.#free.push(endpoint);
      throw error;
    }
  }

  /** `drained`: no write to the endpoint's slots can land any more. */
  release(own: OwnControl, drained: boolean): void {
    const { endpoint } = own.self;
    const { clock, timing } = this.#medium;
    this.#lastUses.set(endpoint, own);
    if (drained) this.#free.push(endpoint);
    else this.#quarantined.set(endpoint, clock.monotonicMs() + timing.quarantineMs);
  }

  /** @throws AgentError `busy` when all dynamic ports of the lease are bound */
  takePort(): number {
    const port = this.#freePorts.shift();
    if (port !== undefined) return port;
    throw new AgentError(
      "busy",
      `Cannot bind on storage transport group "${this.#medium.identity.name}": ` +
        `all dynamic ports of this worker are in use, need a free one`,
    );
  }

  /** Gives a port back; ports that are not of the lease are nobody's. */
  releasePort(port: number): void {
    if (this.#leasedPorts.has(port) && !this.#freePorts.includes(port)) this.#freePorts.push(port);
  }

  async #take(options: AcquireOptions): Promise<number> {
    const { clock } = this.#medium;
    for (;;) {
      this.#endQuarantines();
      const endpoint = this.#free.shift();
      if (endpoint !== undefined) return endpoint;
      const nextMs = Math.min(...this.#quarantined.values());
      if (nextMs > (options.deadlineMs ?? -Infinity)) throw this.#busy(nextMs);
      await clock.sleep(Math.max(1, nextMs - clock.monotonicMs()), { signal: options.signal });
    }
  }

  #endQuarantines(): void {
    if (this.#quarantined.size === 0) return;
    const nowMs = this.#medium.clock.monotonicMs();
    for (const [endpoint, untilMs] of this.#quarantined) {
      if (nowMs < untilMs) continue;
      this.#quarantined.delete(endpoint);
      this.#free.push(endpoint);
    }
  }

  #busy(nextMs: number): AgentError {
    const waitMs = Math.ceil(nextMs - this.#medium.clock.monotonicMs());
    const found = this.#quarantined.size === 0
      ? "all endpoints of this worker are in use"
      : `all endpoints of this worker are in use or in quarantine, the next for ${waitMs} ms`;
    return new AgentError(
      "busy",
      `Cannot open a socket on storage transport group "${this.#medium.identity.name}": ` +
        `${found}, need a free one`,
    );
  }

  async #use(endpoint: number): Promise<OwnControl> {
    const { hostId: host, generation: boot } = this.#claim;
    await this.#lastUses.get(endpoint)?.retire();
    this.#lastUses.delete(endpoint);
    let last = this.#generations.get(endpoint);
    if (last === undefined) {
      const found = await readOwnBlock(this.#medium, host, endpoint);
      const used = found !== null && found.self.boot === boot ? found.self.generation : 0;
      last = Math.max(used, this.#leaseGeneration);
    }
    this.#generations.set(endpoint, last + 1);
    const { controlVolume, identity } = this.#medium;
    const self = { host, endpoint, boot, generation: last + 1 };
    return new OwnControl(controlVolume, identity.layout, self);
  }
}
