// Which endpoints and dynamic ports of the host each worker may use: pure book-keeping of the
// daemon's main thread.
//
// Invariants: no endpoint and no dynamic port is in two leases. What came back last is leased
// last, so that the reason of an aborted connection stays readable as long as possible. Endpoints
// in quarantine (a write to their slots may still land) are leased when no others are left, with
// the time that is left of it: the worker waits.

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import {
  DYNAMIC_PORT_FIRST,
  LEASE_GENERATION_MAX,
  PORT_MAX,
  PORTS_PER_ENDPOINT,
  USES_PER_LEASE,
} from "./limits.ts";

/** An endpoint that must not be used for a while yet. */
export interface QuarantinedEndpoint {
  readonly endpoint: number;
  readonly forMs: number;
}

/** Plain data: it crosses to the worker that uses it. */
export interface EndpointLease {
  readonly leaseId: number;
  readonly endpoints: readonly number[];
  readonly ports: readonly number[];
  /** Those of the endpoints that are in quarantine when the lease is made. */
  readonly quarantined?: readonly QuarantinedEndpoint[];
}

/** Every use in a lease has a larger generation than this. */
export function leaseGeneration({ leaseId }: EndpointLease): number {
  return Math.min((leaseId - 1) * USES_PER_LEASE, LEASE_GENERATION_MAX);
}

export class LeaseBook {
  readonly #stgName: string;
  readonly #free: number[];
  /** Endpoint -> when its quarantine ends, on the holder's clock. */
  readonly #untilMs = new Map<number, number>();
  /** Endpoint -> the use for which it was in quarantine last. */
  readonly #lastUses = new Map<number, number>();
  readonly #leases = new Map<number, EndpointLease>();
  readonly #ports = new Set<number>();
  #nextPort = DYNAMIC_PORT_FIRST;
  #nextLease = 1;

  constructor(stgName: string, endpointsPerHost: number) {
    this.#stgName = stgName;
    this.#free = Array.from({ length: endpointsPerHost }, (_, index) => index);
  }

  /** @throws AgentError `busy` when the host has not that many endpoints left */
  lease(endpointCount: number, nowMs = 0): EndpointLease {
    assert(endpointCount > 0, "a lease has an endpoint");
    if (endpointCount > this.#free.length) {
      throw new AgentError(
        "busy",
        `Cannot lease endpoints of storage transport group "${this.#stgName}": ` +
          `${this.#free.length} are free, need ${endpointCount}`,
        { hint: "Wait for a running job, or format the group with more endpoints per host." },
      );
    }
    const ports = Array.from(
      { length: endpointCount * PORTS_PER_ENDPOINT },
      () => this.#takePort(),
    );
    const leaseId = this.#nextLease++;
    const held = this.quarantined(nowMs);
    const late = new Map(held.map(({ endpoint, forMs }) => [endpoint, forMs]));
    // The order of those with the same wait stays.
    this.#free.sort((a, b) => (late.get(a) ?? 0) - (late.get(b) ?? 0));
    const endpoints = this.#free.splice(0, endpointCount);
    const quarantined = held.filter(({ endpoint }) => endpoints.includes(endpoint));
    const lease = { leaseId, endpoints, ports, quarantined };
    this.#leases.set(leaseId, lease);
    return lease;
  }

  holds(leaseId: number): boolean {
    return this.#leases.has(leaseId);
  }

  /**
   * Puts an endpoint into quarantine, once for each use (`generation` of its connection); null is
   * a use of which nothing is known.
   */
  quarantine(endpoint: number, untilMs: number, generation: number | null): void {
    if (generation !== null && this.#lastUses.get(endpoint) === generation) return;
    if (generation !== null) this.#lastUses.set(endpoint, generation);
    this.#untilMs.set(endpoint, untilMs);
  }

  /** The endpoints in quarantine, leased or not. */
  quarantined(nowMs: number): QuarantinedEndpoint[] {
    for (const [endpoint, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(endpoint);
    }
    return [...this.#untilMs].map(([endpoint, untilMs]) => ({ endpoint, forMs: untilMs - nowMs }));
  }

  release(leaseId: number): void {
    const lease = this.#leases.get(leaseId);
    assert(lease !== undefined, "a lease is given back once");
    this.#leases.delete(leaseId);
    this.#free.push(...lease.endpoints);
    for (const port of lease.ports) this.#ports.delete(port);
  }

  #takePort(): number {
    while (this.#ports.has(this.#nextPort)) this.#advancePort();
    const port = this.#nextPort;
    this.#ports.add(port);
    this.#advancePort();
    return port;
  }

  #advancePort(): void {
    this.#nextPort = this.#nextPort === PORT_MAX ? DYNAMIC_PORT_FIRST : this.#nextPort + 1;
  }
}
