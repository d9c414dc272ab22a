// What a group looks like from outside: hosts, connections, errors. Only reads.
//
// Invariant: "live" was observed: the heartbeat changed while we looked.

import type { Clock } from "../runtime/runtime.ts";
import type { Volume } from "../volume.ts";
import { ControlArea } from "./control_area.ts";
import type { ControlBlock } from "./control_block.ts";
import type { HostBlock } from "./host_block.ts";
import { readHostTable } from "./host_table.ts";
import { LivenessJudge } from "./liveness.ts";
import { type StgIdentity, stgMedium } from "./stg_medium.ts";
import { type StpTiming, stpTiming, watchWindowMs } from "./stp_timing.ts";

export interface HostStatus {
  readonly host: number;
  readonly name: string;
  readonly generation: number;
  readonly attached: boolean;
  readonly live: boolean;
  /** Since the heartbeat changed, as we saw it; null when we did not see it change. */
  readonly heartbeatAgeMs: number | null;
}

export interface ConnectionStatus {
  readonly host: number;
  readonly endpoint: number;
  readonly port: number;
  readonly peerHost: number;
  readonly peerPort: number;
  /** Kind of the control block: listening, connecting, established, closing, aborted. */
  readonly state: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface StgStatus {
  readonly name: string;
  readonly uuid: string;
  readonly volumes: readonly string[];
  readonly hosts: readonly HostStatus[];
  readonly connections: readonly ConnectionStatus[];
  /** Counted by the endpoints that are in use now. */
  readonly errors: {
    readonly badFrames: number;
    readonly badBlocks: number;
    readonly badCursors: number;
  };
}

/** Watches the hosts of one volume until all attached ones beat, at most the watch window. */
export async function watchHosts(options: {
  readonly identity: StgIdentity;
  readonly volume: Volume;
  readonly clock: Clock;
  readonly timing: StpTiming;
}): Promise<HostStatus[]> {
  const { identity, volume, clock, timing } = options;
  const observer = new HostsObserver(timing);
  const endMs = clock.monotonicMs() + watchWindowMs(timing);
  for (;;) {
    observer.observe(await readHostTable(identity, volume), clock.monotonicMs());
    const hosts = observer.status(clock.monotonicMs());
    const settled = hosts.every((host) => host.live || !host.attached);
    if (settled || clock.monotonicMs() >= endMs) return hosts;
    await clock.sleep(timing.heartbeatMs / 10);
  }
}

/** Follows the host table over time: one judge per host id. */
export class HostsObserver {
  readonly #timing: StpTiming;
  readonly #judges = new Map<number, LivenessJudge>();
  #hosts: readonly HostBlock[] = [];

  constructor(timing: StpTiming) {
    this.#timing = timing;
  }

  observe(table: ReadonlyMap<number, HostBlock>, nowMs: number): void {
    this.#hosts = [...table.values()];
    for (const host of this.#hosts) {
      const judge = this.#judges.get(host.hostId) ?? new LivenessJudge({ followsClaims: true });
      this.#judges.set(host.hostId, judge);
      judge.observe([host], nowMs, host.deadMs || this.#timing.deadMs);
    }
  }

  status(nowMs: number): HostStatus[] {
    return this.#hosts.map((host) => {
      const judge = this.#judges.get(host.hostId);
      const verdict = judge?.verdict ?? "unknown";
      return {
        host: host.hostId,
        name: host.name,
        generation: host.generation,
        attached: host.attached,
        live: verdict === "live" || verdict === "suspect",
        heartbeatAgeMs: judge?.heartbeatAgeMs(nowMs) ?? null,
      };
    });
  }
}

/** Status without joining the group; takes up to two and a half heartbeats. */
export async function readStgStatus(
  identity: StgIdentity,
  volumes: readonly Volume[],
  clock: Clock,
  timing: StpTiming = stpTiming(),
): Promise<StgStatus> {
  const volume = volumes[0];
  const hosts = volume === undefined ? [] : await watchHosts({ identity, volume, clock, timing });
  return await assembleStatus({ identity, volumes, clock, hosts });
}

/** Adds what the control blocks say to `hosts`. @throws AgentError `volume` */
export async function assembleStatus(options: {
  readonly identity: StgIdentity;
  readonly volumes: readonly Volume[];
  readonly clock: Clock;
  readonly hosts: readonly HostStatus[];
}): Promise<StgStatus> {
  const { identity, volumes, clock, hosts } = options;
  // Reading needs no randomness; asking for some would be our own bug.
  const random = { bytes: (count: number) => new Uint8Array(count) };
  const area = new ControlArea(stgMedium({ identity, volumes, clock, random }));
  const connections: ConnectionStatus[] = [];
  const errors = { badFrames: 0, badBlocks: 0, badCursors: 0 };
  for (const host of hosts.filter((one) => one.attached)) {
    for (const block of await area.read(host.host, host.generation)) {
      if (block.kind === "free") continue;
      connections.push(connectionStatus(block));
      errors.badFrames += block.badFrames;
      errors.badBlocks += block.badBlocks;
      errors.badCursors += block.badCursors;
    }
  }
  return {
    name: identity.name,
    uuid: identity.uuid,
    volumes: volumes.map((volume) => volume.name),
    hosts,
    connections,
    errors,
  };
}

function connectionStatus(block: ControlBlock): ConnectionStatus {
  return {
    host: block.self.host,
    endpoint: block.self.endpoint,
    port: block.localPort,
    peerHost: block.peer.host,
    peerPort: block.peerPort,
    state: block.kind,
    sentBytes: block.producedBytes,
    receivedBytes: block.consumedBytes,
  };
}
