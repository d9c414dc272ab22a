// `agent stg bench`: streams and sends round trips between this process and a second one over the
// volumes of a group, as two hosts that no agent has.
//
// Invariants: at the end, also when it was interrupted, both host ids are given back and the second
// process is gone. Nothing is written but into the slots and blocks of these two hosts.

import {
  AgentError,
  cancellation,
  type Conn,
  encodeHex,
  type Runtime,
  throwIfCancelled,
} from "../../transport/mod.ts";
import { BenchHost, type BenchHostOptions } from "./bench_host.ts";
import { connectBenchPeer } from "./bench_peer.ts";
import { sealForBench } from "./bench_seal.ts";
import {
  driveStreams,
  driveTrips,
  endBench,
  type StreamFigures,
  type TripFigures,
} from "./drive_bench.ts";
import { TOKEN_BYTES } from "./limits.ts";
import { SecondProcess } from "./second_process.ts";

export interface StgBenchOptions {
  readonly host: Omit<BenchHostOptions, "endpoints" | "hostName">;
  /** The second process's command; the token, as hex, is its last argument. */
  readonly command: (token: string) => readonly string[];
  /** Bytes of one write. */
  readonly frameBytes: number;
  readonly seconds: number;
  /** As jobs do where the group has `encrypt`; the second process does the same. */
  readonly encrypt: boolean;
  readonly signal: AbortSignal;
}

export interface StgBenchFigures {
  readonly hosts: readonly [number, number];
  readonly volumes: number;
  /** Payload bytes of a whole frame, as the group is formatted. */
  readonly payloadBytes: number;
  /** Payload bytes of a whole transmit ring. */
  readonly ringBytes: number;
  readonly frameBytes: number;
  readonly isEncrypted: boolean;
  readonly stream: StreamFigures;
  readonly trips: TripFigures;
}

/** @throws AgentError `busy` (no two free host ids), `mismatch`, `volume`, `cancelled`, … */
export async function runStgBench(
  runtime: Runtime,
  options: StgBenchOptions,
): Promise<StgBenchFigures> {
  const { clock, process, random } = runtime;
  throwIfCancelled(options.signal);
  await using host = await BenchHost.join({
    ...options.host,
    hostName: `bench-source-${process.pid}`,
    endpoints: 1,
    signal: options.signal,
  });
  const lost = new AbortController();
  host.onLost((error) => lost.abort(error));
  const token = random.bytes(TOKEN_BYTES);
  const second = new SecondProcess({ clock, process }, [...options.command(encodeHex(token))]);
  const signal = AbortSignal.any([options.signal, lost.signal, second.failed]);
  try {
    const peer = await second.listening(signal);
    const plain = await connectBenchPeer(host, peer, { token, connections: 1, signal });
    const side = "connecting";
    const conns = options.encrypt
      ? plain.map((conn) => sealForBench(runtime, conn, { token, side }))
      : plain;
    const figures = await measure(runtime, conns, { ...options, signal });
    const { volumeCount, slotsPerVolume, payloadBytes } = host.identity.layout;
    return {
      hosts: [host.hostId, peer.host],
      volumes: volumeCount,
      payloadBytes,
      ringBytes: volumeCount * slotsPerVolume * payloadBytes,
      frameBytes: options.frameBytes,
      isEncrypted: options.encrypt,
      ...figures,
    };
  } catch (error) {
    // Why a connection broke is better known by who broke it.
    throw signal.aborted && error instanceof AgentError ? cancellation(signal) : error;
  } finally {
    await second.end();
  }
}

async function measure(
  runtime: Runtime,
  conns: readonly Conn[],
  options: StgBenchOptions,
): Promise<{ readonly stream: StreamFigures; readonly trips: TripFigures }> {
  const { clock, process } = runtime;
  const { signal, frameBytes, seconds } = options;
  const gauges = { clock, cpuSeconds: () => process.cpuSeconds() };
  try {
    const stream = await driveStreams(conns, gauges, { frameBytes, seconds, signal });
    const [first] = conns;
    if (first === undefined) throw new AgentError("failed", "Cannot measure without a connection");
    const trips = await driveTrips(first, gauges, { signal });
    for (const conn of conns) await endBench(conn, { signal });
    for (const conn of conns) await conn.close();
    return { stream, trips };
  } catch (error) {
    for (const conn of conns) conn.abort("the benchmark ended early");
    throw error;
  }
}
