// The storage transport groups of a daemon: joined once by the main thread, which holds the host
// ids and beats, and lent to the workers of jobs endpoint by endpoint.
//
// A group that cannot be joined leaves the daemon up with that group down and the reason shown,
// but a live holder of our host id ends the start: two writers of one id would ruin each other.

import {
  AgentError,
  type Clock,
  type Random,
  readStgIdentity,
  type StgIdentity,
  StgMember,
  type StgStatus,
  type StpTiming,
  stpTiming,
  toErrorRecord,
  type Volume,
} from "../../transport/mod.ts";
import type { StgConfig } from "../config/mod.ts";
import type { StgView } from "../control/daemon.ts";
import {
  ENDPOINTS_PER_JOB,
  NOT_CONFIGURED,
  type StgAccess,
  type VolumeSource,
} from "../job/mod.ts";
import { STATUS_INTERVAL_MS } from "./limits.ts";

/** Volumes of a group as one thread has them open. */
export interface OpenVolumes {
  readonly volumes: readonly Volume[];
  /** Background work behind them, for the daemon's main thread; ends with the signal. */
  readonly serve: (signal: AbortSignal) => Promise<void>;
  readonly close: () => void;
}

export interface StgServiceParts {
  readonly clock: Clock;
  readonly random: Random;
  /** This host's name, for the host table. */
  readonly hostName: string;
  readonly openVolumes: (
    source: VolumeSource,
    hostName: string,
  ) => OpenVolumes | Promise<OpenVolumes>;
}

/** A group that is up. */
interface Joined {
  readonly opened: OpenVolumes;
  readonly identity: StgIdentity;
  readonly member: StgMember;
  status: StgStatus | null;
}

/** One configured group. */
interface Group {
  readonly config: StgConfig;
  joined: Joined | null;
  /** Why it is down; null while it is up. */
  reason: string | null;
}

export class StgService implements AsyncDisposable {
  readonly #parts: StgServiceParts;
  readonly #groups: readonly Group[];
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #onLost: (name: string, error: AgentError) => void = () => {};

  private constructor(parts: StgServiceParts, configs: readonly StgConfig[]) {
    this.#parts = parts;
    this.#groups = configs.map((config) => ({ config, joined: null, reason: null }));
  }

  /** @throws AgentError `busy` when a live process holds one of our host ids */
  static async open(parts: StgServiceParts, configs: readonly StgConfig[]): Promise<StgService> {
    const service = new StgService(parts, configs);
    try {
      await Promise.all(service.#groups.map((group) => service.#join(group)));
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    service.#loops.push(service.#watch());
    return service;
  }

  /** Calls `handler` when a group that was up is lost: jobs must not use it any more. */
  onLost(handler: (name: string, error: AgentError) => void): void {
    this.#onLost = handler;
  }

  views(): StgView[] {
    return this.#groups.map(viewOf);
  }

  /** What a job on this group gets; the caller gives it back by `release`. */
  lend(name: string): StgAccess {
    const group = this.#groups.find((group) => group.config.name === name);
    if (group === undefined) return NOT_CONFIGURED;
    const { joined, config } = group;
    if (joined === null) {
      return { unusable: "down", detail: group.reason ?? "it is not up yet" };
    }
    try {
      return {
        part: {
          name,
          source: sourceOf(config),
          identity: joined.identity,
          claim: joined.member.claim,
          lease: joined.member.lease(ENDPOINTS_PER_JOB),
          timing: timingOf(config),
        },
      };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const unusable = error.code === "busy" ? "no_endpoint" : "down";
      return { unusable, detail: error.message };
    }
  }

  /** Lends every group, for a client that learns only later which one the server uses. */
  lendAll(): Record<string, StgAccess> {
    const names = this.#groups.map((group) => group.config.name);
    return Object.fromEntries(names.map((name) => [name, this.lend(name)]));
  }

  async release(access: StgAccess): Promise<void> {
    if ("unusable" in access) return;
    const group = this.#groups.find((group) => group.config.name === access.part.name);
    await group?.joined?.member.release(access.part.lease);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#groups.map(async ({ joined }) => {
      await joined?.member.close();
    }));
    await Promise.all(this.#loops);
    for (const { joined } of this.#groups) joined?.opened.close();
  }

  async #join(group: Group): Promise<void> {
    const { config } = group;
    const { clock, random, hostName } = this.#parts;
    let opened: OpenVolumes | null = null;
    try {
      opened = await this.#parts.openVolumes(sourceOf(config), hostName);
      const { volumes } = opened;
      const identity = await readStgIdentity({ name: config.name, volumes });
      const member = await StgMember.join({
        identity,
        volumes,
        hostId: config.host,
        hostName,
        clock,
        random,
        timing: timingOf(config),
      });
      const joined: Joined = { opened, identity, member, status: null };
      group.joined = joined;
      member.onLost((error) => {
        group.reason = error.message;
        group.joined = null;
        opened?.close();
        this.#onLost(config.name, error);
      });
      this.#loops.push(opened.serve(this.#stop.signal));
    } catch (error) {
      opened?.close();
      if (!(error instanceof AgentError) || error.code === "busy") throw error;
      group.reason = toErrorRecord(error).message;
    }
  }

  /** Keeps the views fresh. */
  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const group of this.#groups) await refresh(group);
      try {
        await this.#parts.clock.sleep(STATUS_INTERVAL_MS, { signal: this.#stop.signal });
      } catch {
        return; // Closing.
      }
    }
  }
}

async function refresh(group: Group): Promise<void> {
  const { joined } = group;
  if (joined === null) return;
  try {
    joined.status = await joined.member.status();
  } catch (error) {
    // The member itself decides when the group is lost; a status that fails is only old.
    if (!(error instanceof AgentError)) throw error;
  }
}

function viewOf({ config, joined, reason }: Group): StgView {
  const status = joined?.status ?? null;
  return {
    name: config.name,
    state: joined === null ? "down" : "up",
    reason,
    uuid: joined?.identity.uuid ?? null,
    host: config.host,
    volumes: config.volumes,
    hosts: (status?.hosts ?? []).map(({ host, name, live, heartbeatAgeMs }) => ({
      host,
      name,
      live,
      heartbeatAgeMs,
    })),
    connections: (status?.connections ?? []).map((connection) => ({
      host: connection.host,
      port: connection.port,
      peerHost: connection.peerHost,
      peerPort: connection.peerPort,
      state: connection.state,
    })),
  };
}

export function sourceOf(config: StgConfig): VolumeSource {
  if (config.array === null) return { kind: "raw", paths: config.volumes };
  return { kind: "array", directory: config.array, names: config.volumes };
}

/** The group's timing as its configuration says. */
export function timingOf(config: StgConfig): StpTiming {
  const { heartbeatMs, deadTimeMs: deadMs } = config;
  // A short dead time needs a shorter look at the peer; the configuration knows only the former.
  const watchMs = Math.min(stpTiming().watchMs, Math.floor(deadMs / 2));
  return stpTiming({ heartbeatMs, deadMs, watchMs });
}
