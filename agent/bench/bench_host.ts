// One end of a benchmark as a host of the group: it holds a free host id while it lives, and has a
// storage mechanism of its own. It needs no daemon and disturbs none.
//
// Life cycle: join -> mechanism used -> close, which gives the id back. The volumes stay the
// caller's.

import {
  AgentError,
  type Clock,
  type EndpointLease,
  type HostClaim,
  type ProcessTable,
  type Random,
  readHostTable,
  readStgIdentity,
  type StgIdentity,
  StgMember,
  StpMechanism,
  type StpTiming,
  type Volume,
} from "../../transport/mod.ts";
import { freeHosts, type SeenHost } from "./free_hosts.ts";

export interface BenchHostOptions {
  readonly name: string;
  readonly volumes: readonly Volume[];
  readonly timing: StpTiming;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells of an id that a process on this machine left that it is free at once. */
  readonly processes: ProcessTable;
  /** The id of the configuration: an agent may come up with it at any time. */
  readonly ownHost: number;
  readonly hostName: string;
  /** Sockets at once, a listening one included. */
  readonly endpoints: number;
  /** Ends the wait for an id that somebody may hold. */
  readonly signal?: AbortSignal | undefined;
}

export class BenchHost implements AsyncDisposable {
  readonly identity: StgIdentity;
  readonly mechanism: StpMechanism;
  readonly #member: StgMember;
  readonly #lease: EndpointLease;

  private constructor(options: BenchHostOptions, identity: StgIdentity, member: StgMember) {
    const { volumes, clock, random, timing } = options;
    this.identity = identity;
    this.#member = member;
    this.#lease = member.lease(options.endpoints);
    const { claim } = member;
    const lease = this.#lease;
    this.mechanism = new StpMechanism({ identity, volumes, clock, random, timing, claim, lease });
  }

  /**
   * Takes a free host id.
   * @throws AgentError `busy` when no id is free, `mismatch` (not this group), `volume`,
   * `cancelled`
   */
  static async join(options: BenchHostOptions): Promise<BenchHost> {
    const { name, volumes, ownHost } = options;
    const identity = await readStgIdentity({ name, volumes });
    const { maxHosts } = identity.layout;
    const seen = await seenHosts(identity, volumes);
    for (const hostId of freeHosts({ maxHosts, seen }, ownHost)) {
      const member = await tryJoin({ ...options, identity, hostId });
      if (member === null) continue;
      try {
        return new BenchHost(options, identity, member);
      } catch (error) {
        await member.close(); // It has fewer endpoints than we asked for.
        throw error;
      }
    }
    throw new AgentError(
      "busy",
      `Cannot measure group "${name}": found no free host id among ${maxHosts}, need two`,
      { hint: `Stop an agent, or see who is there with \`agent stg status ${name}\`.` },
    );
  }

  get hostId(): number {
    return this.#member.claim.hostId;
  }

  /** What a worker of this process needs for a mechanism of its own, in place of this one. */
  worker(): { readonly claim: HostClaim; readonly lease: EndpointLease } {
    return { claim: this.#member.claim, lease: this.#lease };
  }

  /** Fires when the id is lost: what is measured from then on is worth nothing. */
  onLost(handler: (error: AgentError) => void): void {
    this.#member.onLost(handler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#member.release(this.#lease);
    } finally {
      await this.#member.close();
    }
  }
}

/** An id is attached when any volume says so. */
async function seenHosts(
  identity: StgIdentity,
  volumes: readonly Volume[],
): Promise<readonly SeenHost[]> {
  const tables = await Promise.all(volumes.map((volume) => readHostTable(identity, volume)));
  return tables.flatMap((table) =>
    [...table.values()].map(({ hostId, attached }) => ({ host: hostId, attached }))
  );
}

/** Null when somebody else took the id meanwhile. */
async function tryJoin(
  options: BenchHostOptions & { readonly identity: StgIdentity; readonly hostId: number },
): Promise<StgMember | null> {
  try {
    return await StgMember.join(options);
  } catch (error) {
    if (error instanceof AgentError && error.code === "busy") return null;
    throw error;
  }
}
