// What a group looks like from outside: hosts, ports, connections, endpoints, errors. Only reads.
//
// Invariants: "live" and "dead" were observed (hosts_observer.ts). Counts are those of the
// endpoints' blocks as they stand: of what is in use now and of each last use before that.

import type { Clock } from "../runtime/runtime.ts";
import type { Volume } from "../volume.ts";
import { ControlArea } from "./control_area.ts";
import { type ControlBlock, sameEndpoint } from "./control_block.ts";
import { HostsObserver, type HostStatus } from "./hosts_observer.ts";
import { readHostTable } from "./host_table.ts";
import { STATUS_WATCH_MS_MAX } from "./limits.ts";
import { type StgIdentity, type StgMedium, stgMedium } from "./stg_medium.ts";
import { type StpTiming, stpTiming, watchWindowMs } from "./stp_timing.ts";

/** How many times which kind of error was found, and healed. */
export interface ErrorCounts {
  readonly tornFrames: number;
  /** Of another connection, generation or lap. */
  readonly staleFrames: number;
  /** Whole, and impossible. */
  readonly damagedFrames: number;
  readonly badBlocks: number;
  readonly cursorsBack: number;
  readonly cursorsBeyond: number;
  /** Frames that were asked for again, and sent again. */
  readonly framesAsked: number;
  readonly framesSentAgain: number;
}

export interface EndpointCounts {
  readonly total: number;
  readonly used: number;
  /** Not used, and not yet usable: a write to the slots may still land. */
  readonly quarantined: number;
}

export interface HostReport extends HostStatus {
  /** Ports on which the host listens now. */
  readonly ports: readonly number[];
  readonly endpoints: EndpointCounts;
  readonly errors: ErrorCounts;
}

export interface ConnectionStatus {
  readonly host: number;
  readonly endpoint: number;
  readonly port: number;
  readonly peerHost: number;
  readonly peerEndpoint: number;
  readonly peerPort: number;
  /** Kind of the control block: listening, connecting, established, closing, aborted. */
  readonly state: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Sent and not yet taken by the peer; null when the peer's block does not tell. */
  readonly framesInFlight: number | null;
  /** How often its sender waited because the ring was full. */
  readonly creditWaits: number;
}

export interface StgStatus {
  readonly name: string;
  readonly uuid: string;
  readonly volumes: readonly string[];
  readonly hosts: readonly HostReport[];
  readonly connections: readonly ConnectionStatus[];
  /** What an operator should put right, as sentences. */
  readonly warnings: readonly string[];
}

/**
 * Watches the hosts on `volumes` until all attached ones were judged, at most `limitMs` (two and
 * a half heartbeats).
 * @throws AgentError `volume`
 */
export async function watchHosts(options: {
  readonly identity: StgIdentity;
  readonly volumes: readonly Volume[];
  readonly clock: Clock;
  readonly timing: StpTiming;
  readonly limitMs?: number;
}): Promise<HostStatus[]> {
  const { identity, volumes, clock, timing } = options;
  const observer = new HostsObserver(timing, volumes.map(({ name }) => name));
  const startMs = clock.monotonicMs();
  const endMs = startMs + (options.limitMs ?? watchWindowMs(timing));
  // A host that beats is soon seen on all its volumes, or one of them has a fault.
  const allMs = startMs + watchWindowMs(timing);
  for (;;) {
    const tables = await Promise.all(volumes.map((volume) => readHostTable(identity, volume)));
    observer.observe(tables, clock.monotonicMs());
    const nowMs = clock.monotonicMs();
    const hosts = observer.status(nowMs);
    const settled = hosts.filter(({ attached }) => attached).every((host) =>
      host.live === false ||
      host.live && (host.volumes.length === volumes.length || nowMs >= allMs)
    );
    if (settled || nowMs >= endMs) return hosts;
    await clock.sleep(timing.heartbeatMs / 10);
  }
}

/** Status without joining the group; takes until all hosts beat, or their dead time. */
export async function readStgStatus(
  identity: StgIdentity,
  volumes: readonly Volume[],
  clock: Clock,
  timing: StpTiming = stpTiming(),
): Promise<StgStatus> {
  const limitMs = Math.min(STATUS_WATCH_MS_MAX, timing.deadMs + timing.heartbeatMs);
  const hosts = await watchHosts({ identity, volumes, clock, timing, limitMs });
  // Reading needs no randomness; asking for some would be our own bug.
  const random = { bytes: (count: number) => new Uint8Array(count) };
  return await assembleStatus(stgMedium({ identity, volumes, clock, random }), hosts, new Map());
}

/**
 * Adds what the control blocks say to `hosts`.
 * @param areas by host, made here: who asks again and again keeps them, and asks one at a time
 * @throws AgentError `volume`
 */
export async function assembleStatus(
  medium: StgMedium,
  hosts: readonly HostStatus[],
  areas: Map<number, ControlArea>,
): Promise<StgStatus> {
  const { identity, volumes } = medium;
  const blocks = new Map<number, readonly ControlBlock[]>();
  for (const { host, generation } of hosts) {
    const area = areas.get(host) ?? new ControlArea(medium);
    areas.set(host, area);
    blocks.set(host, await area.read(host, generation));
  }
  const total = identity.layout.endpointsPerHost;
  const all = hosts.filter((host) => host.attached).flatMap(({ host }) => blocks.get(host) ?? []);
  return {
    name: identity.name,
    uuid: identity.uuid,
    volumes: volumes.map((volume) => volume.name),
    hosts: hosts.map((host) => ({ ...host, ...reportOf(blocks.get(host.host) ?? [], total) })),
    connections: all.filter(({ kind }) => kind !== "free").map((one) => connectionOf(one, all)),
    warnings: deadTimeWarnings(hosts),
  };
}

function reportOf(blocks: readonly ControlBlock[], total: number) {
  const sum = (count: (block: ControlBlock) => number): number =>
    blocks.reduce((counted, block) => counted + count(block), 0);
  const ended = (block: ControlBlock) => block.kind === "free" || block.kind === "aborted";
  return {
    ports: blocks.filter(({ kind }) => kind === "listening").map(({ localPort }) => localPort),
    endpoints: {
      total,
      used: sum((block) => ended(block) ? 0 : 1),
      quarantined: sum((block) => ended(block) && block.undrained ? 1 : 0),
    },
    errors: {
      tornFrames: sum((block) => block.tornFrames),
      staleFrames: sum((block) => block.staleFrames),
      damagedFrames: sum((block) => block.damagedFrames),
      badBlocks: sum((block) => block.badBlocks),
      cursorsBack: sum((block) => block.cursorsBack),
      cursorsBeyond: sum((block) => block.cursorsBeyond),
      framesAsked: sum((block) => block.requests),
      framesSentAgain: sum((block) => block.sentAgain),
    },
  };
}

function connectionOf(block: ControlBlock, all: readonly ControlBlock[]): ConnectionStatus {
  const peer = all.find((other) =>
    sameEndpoint(other.self, block.peer) && sameEndpoint(other.peer, block.self)
  );
  const inFlight = peer === undefined ? null : block.producedFrames - peer.consumedFrames;
  return {
    host: block.self.host,
    endpoint: block.self.endpoint,
    port: block.localPort,
    peerHost: block.peer.host,
    peerEndpoint: block.peer.endpoint,
    peerPort: block.peerPort,
    state: block.kind,
    sentBytes: block.producedBytes,
    receivedBytes: block.consumedBytes,
    // The blocks are not read at one moment: the peer's may be the newer one.
    framesInFlight: inFlight === null ? null : Math.max(0, inFlight),
    creditWaits: block.creditWaits,
  };
}

/** Each host is judged by what it publishes; two values are still a mistake of somebody. */
function deadTimeWarnings(hosts: readonly HostStatus[]): string[] {
  const present = hosts.filter((host) => host.attached && host.live !== false);
  if (new Set(present.map(({ deadMs }) => deadMs)).size < 2) return [];
  const values = present.map(({ host, name, deadMs }) => `host ${host} "${name}" ${deadMs} ms`);
  return [`the hosts have different dead times (${values.join(", ")}): configure the same`];
}
