// The endpoints and dynamic ports that one worker holds by its lease.
//
// Invariants: each use of an endpoint has a larger generation than every use before it in this
// claim of the host, also by other workers: the block on the volume is read before the first use.
// An endpoint that came back last is used last.

import { AgentError } from "../ground/error.ts";
import type { EndpointLease } from "./endpoint_lease.ts";
import { OwnControl, readOwnBlock } from "./own_control.ts";
import type { HostClaim, StgMedium } from "./stg_medium.ts";

export class EndpointPool {
  readonly #medium: StgMedium;
  readonly #claim: HostClaim;
  readonly #free: number[];
  readonly #generations = new Map<number, number>();
  readonly #freePorts: number[];
  readonly #leasedPorts: ReadonlySet<number>;

  constructor(medium: StgMedium, claim: HostClaim, lease: EndpointLease) {
    this.#medium = medium;
    this.#claim = claim;
    this.#free = [...lease.endpoints];
    this.#freePorts = [...lease.ports];
    this.#leasedPorts = new Set(lease.ports);
  }

  get hasFree(): boolean {
    return this.#free.length > 0;
  }

  /** @throws AgentError `busy` when all are in use, `volume` */
  async acquire(): Promise<OwnControl> {
    const endpoint = this.#free.shift();
    if (endpoint === undefined) {
      throw new AgentError(
        "busy",
        `Cannot open a socket on storage transport group "${this.#medium.identity.name}": ` +
          `all endpoints of this worker are in use, need a free one`,
      );
    }
    try {
      return await this.#use(endpoint);
    } catch (error) {
      this.#free.push(endpoint);
      throw error;
    }
  }

  /** `drained`: no write to the endpoint's slots can land any more. */
  release(own: OwnControl, _drained: boolean): void {
    this.#free.push(own.self.endpoint);
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

  async #use(endpoint: number): Promise<OwnControl> {
    const { hostId: host, generation: boot } = this.#claim;
    let last = this.#generations.get(endpoint);
    if (last === undefined) {
      const found = await readOwnBlock(this.#medium, host, endpoint);
      last = found !== null && found.self.boot === boot ? found.self.generation : 0;
    }
    this.#generations.set(endpoint, last + 1);
    const { controlVolume, identity } = this.#medium;
    const self = { host, endpoint, boot, generation: last + 1 };
    return new OwnControl(controlVolume, identity.layout, self);
  }
}
