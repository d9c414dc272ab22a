// Two hosts on one group, for tests: a formatted group, two members, a mechanism on each.

import { AgentError } from "../../../../transport/ground/error.ts";
import type { Conn } from "../../../../transport/conn.ts";
import type { Clock, Random } from "../../../../transport/runtime/runtime.ts";
import {
  type FormatOptions,
  formatStg,
  type StgIdentity,
  StgMember,
  StpConn,
  StpMechanism,
  type StpTiming,
} from "../../../../transport/stp/mod.ts";
import type { Volume } from "../../../../transport/volume.ts";
import { type HostPath, MemoryMedium } from "./memory_volume.ts";

/** Short times, so that a test of a death or a loss takes a moment. */
export const SHORT: Partial<StpTiming> = {
  heartbeatMs: 40,
  deadMs: 800,
  settleMs: 5,
  watchMs: 40,
  healMs: 300,
  lingerMs: 300,
  finMs: 50,
  quarantineMs: 400,
};

/** Longer than any test takes on a busy machine: what heals must not end before. */
export const PATIENT = {
  ...SHORT,
  healMs: 20_000,
  lingerMs: 20_000,
  deadMs: 20_000,
  quarantineMs: 20_000,
};

export interface StpHost {
  readonly member: StgMember;
  readonly mechanism: StpMechanism;
  readonly volumes: readonly Volume[];
}

export interface StpBed {
  readonly identity: StgIdentity;
  readonly hosts: readonly [StpHost, StpHost];
  close(): Promise<void>;
}

export interface StpBedOptions {
  readonly clock: Clock;
  /** Of host 2, where it shows another time; default: `clock`. */
  readonly peerClock?: Clock | undefined;
  readonly random: Random;
  /** The volumes as host 1 and host 2 open them. */
  readonly volumes: readonly [readonly Volume[], readonly Volume[]];
  /** The same as the worker of each host opens them; default: those of its host. */
  readonly workerVolumes?: readonly [readonly Volume[], readonly Volume[]] | undefined;
  readonly timing?: Partial<StpTiming> | undefined;
  /** Of host 2, where it is configured otherwise; default: `timing`. */
  readonly peerTiming?: Partial<StpTiming> | undefined;
  readonly format?: Partial<FormatOptions> | undefined;
  /** Of a group that is there; default: one is formatted. */
  readonly identity?: StgIdentity | undefined;
}

export async function openStpBed(options: StpBedOptions): Promise<StpBed> {
  const { clock, random, timing } = options;
  const [first, second] = options.volumes;
  const identity = options.identity ??
    await formatStg({ name: "stg0", volumes: first, random, ...options.format });
  const [firstWorker, secondWorker] = options.workerVolumes ?? options.volumes;
  const join = async (
    hostId: number,
    [volumes, workerVolumes]: readonly [readonly Volume[], readonly Volume[]],
    { clock, timing }: Pick<StpBedOptions, "clock" | "timing">,
  ): Promise<StpHost> => {
    const medium = { identity, volumes, clock, random, timing };
    const member = await StgMember.join({ ...medium, hostId, hostName: `host${hostId}` });
    const lease = member.lease(identity.layout.endpointsPerHost);
    const worker = { ...medium, volumes: workerVolumes, claim: member.claim, lease };
    return { member, volumes, mechanism: new StpMechanism(worker) };
  };
  const hosts: readonly [StpHost, StpHost] = [
    await join(1, [first, firstWorker], { clock, timing }),
    await join(2, [second, secondWorker], {
      clock: options.peerClock ?? clock,
      timing: options.peerTiming ?? timing,
    }),
  ];
  const close = async () => {
    for (const host of hosts) await host.member.close();
  };
  return { identity, hosts, close };
}

export interface MemoryBed extends StpBed {
  readonly media: readonly MemoryMedium[];
  /** Of host 1 and host 2. */
  readonly paths: readonly [HostPath, HostPath];
  /** Of their workers only: one whose path is cut writes nothing more, as if it was killed. */
  readonly workerPaths: readonly [HostPath, HostPath];
}

/** A bed on volumes in memory. */
export async function openMemoryBed(
  options: Omit<StpBedOptions, "volumes"> & {
    readonly volumeCount?: number;
    readonly volumeBytes?: number;
    readonly asynchronous?: boolean;
  },
): Promise<MemoryBed> {
  const sizeBytes = options.volumeBytes ?? 16 * 1024 * 1024;
  const media = Array.from(
    { length: options.volumeCount ?? 1 },
    () => new MemoryMedium(sizeBytes),
  );
  const asynchronous = options.asynchronous ?? false;
  const paths: readonly [HostPath, HostPath] = [{ cut: false }, { cut: false }];
  const workerPaths: readonly [HostPath, HostPath] = [behind(paths[0]), behind(paths[1])];
  const open = ([one, two]: readonly [HostPath, HostPath]) => {
    const through = (path: HostPath) =>
      media.map((medium, index) => medium.open(`v${index}`, { asynchronous, path }));
    return [through(one), through(two)] as const;
  };
  const bed = await openStpBed({
    ...options,
    volumes: open(paths),
    workerVolumes: open(workerPaths),
  });
  return { ...bed, media, paths, workerPaths };
}

/** A path that is cut when it is told so, or when the one of its host is. */
function behind(host: HostPath): HostPath {
  let own = false;
  return {
    get cut() {
      return own || host.cut;
    },
    set cut(cut: boolean) {
      own = cut;
    },
  };
}

/** Host 2 listens, host 1 connects. */
export async function connectPair(
  bed: StpBed,
  token?: Uint8Array,
): Promise<readonly [StpConn, StpConn]> {
  const [connector, listener] = bed.hosts;
  const stg = bed.identity.name;
  const listening = listener.mechanism.STPsocket();
  await listening.bind({ family: "AF_STP", stg, host: 2, port: 0 });
  await listening.listen({ backlog: 8, ...(token === undefined ? {} : { token }) });
  const accepting = listening.accept();
  const socket = connector.mechanism.STPsocket();
  await socket.bind({ family: "AF_STP", stg, host: 1, port: 0 });
  await socket.connect(listening.getsockname(), {
    timeoutMs: 5000,
    ...(token === undefined ? {} : { token }),
  });
  const accepted = await accepting;
  await listening.close();
  return [socket.conn, accepted.conn];
}

export async function readCount(conn: Conn, count: number): Promise<Uint8Array> {
  const into = new Uint8Array(count);
  let done = 0;
  while (done < count) {
    const read = await conn.read(into.subarray(done));
    if (read === null) return into.subarray(0, done);
    done += read;
  }
  return into;
}

export async function writeWhole(conn: Conn, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += await conn.write(bytes.subarray(done));
}

/** The error that `attempt` fails with. */
export async function failure(attempt: Promise<unknown>): Promise<AgentError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
