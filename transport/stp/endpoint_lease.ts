// Which endpoints and dynamic ports of the host each worker may use: pure book-keeping of the
// daemon's main thread.
//
// Invariants: no endpoint and no dynamic port is in two leases. What came back last is leased
// last, so that the reason of an aborted connection stays readable as long as possible.

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { DYNAMIC_PORT_FIRST, PORT_MAX, PORTS_PER_ENDPOINT } from "./limits.ts";

/** Plain data: it crosses to the worker that uses it. */
export interface EndpointLease {
  readonly leaseId: number;
  readonly endpoints: readonly number[];
  readonly ports: readonly number[];
}

export class LeaseBook {
  readonly #stgName: string;
  readonly #free: number[];
  readonly #leases = new Map<number, EndpointLease>();
  readonly #ports = new Set<number>();
  #nextPort = DYNAMIC_PORT_FIRST;
  #nextLease = 1;

  constructor(stgName: string, endpointsPerHost: number) {
    this.#stgName = stgName;
    this.#free = Array.from({ length: endpointsPerHost }, (_, index) => index);
  }

  /** @throws AgentError `busy` when the host has not that many endpoints left */
  lease(endpointCount: number): EndpointLease {
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
    const lease = { leaseId, endpoints: this.#free.splice(0, endpointCount), ports };
    this.#leases.set(leaseId, lease);
    return lease;
  }

  holds(leaseId: number): boolean {
    return this.#leases.has(leaseId);
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
