// This host's membership in a group: holds the host id, beats on every volume, leases endpoints
// to the workers. One per group, in the main thread of the daemon, away from bulk data.
//
// Life cycle: join -> (lease, release)* -> close. `close` marks the host detached.
//
// Invariants:
//  1. Each volume has its own heartbeat loop: a slow volume does not hold up the others.
//  2. Each beat first reads our block: another claim in it means that we lost the id.
//  3. When no volume took a heartbeat for half of the dead time, the id counts as lost. A process
//     that starts with our id may take it earlier, after the watch window (host_claim.ts): the
//     generation makes what we still write harmless to its connections' data, and our next
//     heartbeat finds its claim.

import { AgentError } from "../ground/error.ts";
import type { Volume } from "../volume.ts";
import { ControlBlock, controlBlockImage } from "./control_block.ts";
import { type EndpointLease, LeaseBook } from "./endpoint_lease.ts";
import type { HostBlock } from "./host_block.ts";
import { claimHost } from "./host_claim.ts";
import { readHostBlock, readHostTable, writeHostBlock } from "./host_table.ts";
import { readOwnBlock } from "./own_control.ts";
import { controlBlockOffset } from "./stg_layout.ts";
import { checkName } from "./stg_format.ts";
import { type HostClaim, type StgMedium, stgMedium, type StgMediumOptions } from "./stg_medium.ts";
import { assembleStatus, HostsObserver, type StgStatus } from "./stg_status.ts";
import { writeVolume } from "./volume_io.ts";

export interface JoinOptions extends StgMediumOptions {
  /** 1 .. maxHosts of the layout. */
  readonly hostId: number;
  readonly hostName: string;
}

export class StgMember implements AsyncDisposable {
  readonly claim: HostClaim;
  readonly #medium: StgMedium;
  readonly #block: HostBlock;
  readonly #leases: LeaseBook;
  readonly #observer: HostsObserver;
  readonly #stopping = new AbortController();
  readonly #lostHandlers = new Set<(error: AgentError) => void>();
  #lost: AgentError | null = null;
  #beatMs: number;
  #loops: readonly Promise<void>[] = [];
  #closed: Promise<void> | null = null;

  private constructor(medium: StgMedium, block: HostBlock) {
    this.#medium = medium;
    this.#block = block;
    const { hostId, name: hostName, generation, claim } = block;
    this.claim = { hostId, hostName, generation, claim };
    this.#leases = new LeaseBook(medium.identity.name, medium.identity.layout.endpointsPerHost);
    this.#observer = new HostsObserver(medium.timing);
    this.#beatMs = medium.clock.monotonicMs();
  }

  /**
   * Claims the host id and starts to beat. Takes two and a half heartbeats when the id was not
   * given back in order.
   * @throws AgentError `busy` (a live process has the id), `usage`, `volume`
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
    for (let endpoint = 0; endpoint < layout.endpointsPerHost; endpoint++) {
      await member.#resetEndpoint(endpoint);
    }
    member.#loops = medium.volumes.map((volume) => member.#beat(volume));
    return member;
  }

  /** Called once, when the id is lost; at once when it already is. */
  onLost(handler: (error: AgentError) => void): void {
    if (this.#lost !== null) handler(this.#lost);
    else this.#lostHandlers.add(handler);
  }

  /** Endpoints and ports for one worker. @throws AgentError `busy` */
  lease(endpointCount: number): EndpointLease {
    if (this.#lost !== null) throw this.#lost;
    return this.#leases.lease(endpointCount);
  }

  /** Ends what the worker may have left open, and takes the endpoints back. Idempotent. */
  async release(lease: EndpointLease): Promise<void> {
    if (!this.#leases.holds(lease.leaseId)) return;
    try {
      for (const endpoint of lease.endpoints) await this.#endEndpoint(endpoint);
    } finally {
      if (this.#leases.holds(lease.leaseId)) this.#leases.release(lease.leaseId);
    }
  }

  /** @throws AgentError `volume` */
  async status(): Promise<StgStatus> {
    const { identity, volumes, clock, controlVolume } = this.#medium;
    this.#observer.observe(await readHostTable(identity, controlVolume), clock.monotonicMs());
    const hosts = this.#observer.status(clock.monotonicMs());
    return await assembleStatus({ identity, volumes, clock, hosts });
  }

  /** Stops beating and gives the id back. Idempotent; does not throw. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    if (this.#lost !== null) return; // the block is another's now, or out of reach
    const detached = { ...this.#block, attached: false };
    for (const volume of this.#medium.volumes) {
      try {
        await writeHostBlock(this.#medium.identity, volume, detached);
      } catch {
        // A volume that is gone shows a host that stopped beating: others wait a little longer.
      }
    }
  }

  /** The loop of one volume, until close or loss. */
  async #beat(volume: Volume): Promise<void> {
    const { clock, timing } = this.#medium;
    const { signal } = this.#stopping;
    for (let heartbeat = this.#block.heartbeat + 1; !signal.aborted; heartbeat++) {
      try {
        await clock.sleep(timing.heartbeatMs, { signal });
      } catch {
        return; // closing
      }
      try {
        await this.#beatOnce(volume, heartbeat);
      } catch (cause) {
        const silentMs = clock.monotonicMs() - this.#beatMs;
        if (silentMs >= timing.deadMs / 2) this.#lose(`no heartbeat for ${silentMs} ms`, cause);
      }
    }
  }

  async #beatOnce(volume: Volume, heartbeat: number): Promise<void> {
    const { identity, clock, controlVolume } = this.#medium;
    const table = volume === controlVolume ? await readHostTable(identity, volume) : null;
    if (table !== null) this.#observer.observe(table, clock.monotonicMs());
    const found = await readHostBlock(identity, volume, this.#block.hostId);
    if (found !== null && found.claim !== this.#block.claim) {
      this.#lose(`"${found.name}" wrote its host block`);
      return;
    }
    if (this.#stopping.signal.aborted) return;
    await writeHostBlock(identity, volume, { ...this.#block, heartbeat });
    this.#beatMs = clock.monotonicMs();
  }

  #lose(found: string, cause?: unknown): void {
    if (this.#lost !== null) return;
    this.#lost = new AgentError(
      "reset",
      `Cannot hold host ${this.#block.hostId} of storage transport group ` +
        `"${this.#medium.identity.name}": ${found}, need to be its only writer`,
      { cause, hint: "Check that no other agent has the same `host` number." },
    );
    this.#stopping.abort();
    for (const handler of this.#lostHandlers) handler(this.#lost);
  }

  async #endEndpoint(endpoint: number): Promise<void> {
    const { identity, controlVolume } = this.#medium;
    const left = await readOwnBlock(this.#medium, this.claim.hostId, endpoint);
    if (left === null || left.kind === "free" || left.kind === "aborted") return;
    // Who took the id from us uses the endpoint now: its connection is none of ours.
    if (left.self.boot !== this.claim.generation) return;
    left.kind = "aborted";
    left.reason = "the process that held it ended";
    left.changes++;
    const offset = controlBlockOffset(identity.layout, this.claim.hostId, endpoint);
    await writeVolume(controlVolume, offset, controlBlockImage(left));
  }

  /** A new claim starts with endpoints that carry its generation and nothing of the old one. */
  async #resetEndpoint(endpoint: number): Promise<void> {
    const { identity, controlVolume } = this.#medium;
    const { hostId, generation } = this.claim;
    const block = new ControlBlock();
    block.self = { host: hostId, endpoint, boot: generation, generation: 0 };
    const offset = controlBlockOffset(identity.layout, hostId, endpoint);
    await writeVolume(controlVolume, offset, controlBlockImage(block));
  }
}
