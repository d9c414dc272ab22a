// The second process of a benchmark: it takes a free host id, listens, serves one benchmark on as
// many connections as the first process makes, and gives the id back.
//
// It ends when the benchmark is over, and when its standard input ends: then the first process is
// gone, however that came about. Ctrl-C goes to both; only the first one heeds it.

import {
  type Address,
  AgentError,
  cancellation,
  type Conn,
  type Runtime,
  toErrorRecord,
} from "../../transport/mod.ts";
import { BenchHost, type BenchHostOptions } from "./bench_host.ts";
import { sealForBench } from "./bench_seal.ts";
import { CONNECT_TIMEOUT_MS } from "./limits.ts";
import { encodePeerLine } from "./peer_line.ts";
import { serveBench } from "./serve_bench.ts";

export interface BenchPeerOptions {
  readonly host: Omit<BenchHostOptions, "endpoints" | "hostName">;
  readonly token: Uint8Array;
  readonly connections: number;
  /** As jobs do where the group has `encrypt`. */
  readonly encrypt?: boolean;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** Runs to the end. @returns the exit code: what went wrong was told on standard output */
export async function runBenchPeer(runtime: Runtime, options: BenchPeerOptions): Promise<0 | 1> {
  const { process } = runtime;
  const gone = new AbortController();
  const stop = AbortSignal.any([options.signal, gone.signal]);
  const stopped = () => gone.abort(new AgentError("cancelled", "Cannot go on: told to stop"));
  const unwatch = [
    process.onInputEnd(stopped),
    process.onSignal("SIGTERM", stopped),
    process.onSignal("SIGINT", () => {}),
  ];
  try {
    await serve(runtime, { ...options, signal: stop });
    return 0;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    process.write(1, encodePeerLine({ type: "error", error: toErrorRecord(error) }));
    return 1;
  } finally {
    for (const end of unwatch) end();
  }
}

async function serve(runtime: Runtime, options: BenchPeerOptions): Promise<void> {
  const { token, connections, encrypt = false, signal } = options;
  const { clock, process } = runtime;
  await using host = await BenchHost.join({
    ...options.host,
    hostName: `bench-sink-${process.pid}`,
    endpoints: connections + 1,
    signal,
  });
  const { mechanism, hostId } = host;
  const lost = new AbortController();
  host.onLost((error) => lost.abort(error));
  const stop = AbortSignal.any([signal, lost.signal]);
  const address: Address = { family: "AF_STP", stg: options.host.name, host: hostId, port: 0 };
  const listener = mechanism.socket();
  const accepted: Conn[] = [];
  try {
    await listener.bind(address);
    await listener.listen({ backlog: connections, token });
    const { port } = listener.getsockname();
    process.write(1, encodePeerLine({ type: "listening", host: hostId, port }));
    for (let count = 0; count < connections; count += 1) {
      const { conn } = await listener.accept({ signal: stop });
      const side = "listening";
      accepted.push(encrypt ? sealForBench(runtime, conn, { token, side }) : conn);
    }
    // Nobody else comes, and looking for them would cost what is measured.
    await listener.close();
    const gauges = { clock, cpuSeconds: () => process.cpuSeconds() };
    await Promise.all(accepted.map((conn) => serveBench(conn, gauges, { signal: stop })));
    for (const conn of accepted) await conn.close();
  } catch (error) {
    for (const conn of accepted) conn.abort("the benchmark ended early");
    throw stop.aborted ? cancellation(stop) : error;
  } finally {
    await listener.close();
  }
}

/** Connects to the second process over the group, once for each connection. */
export async function connectBenchPeer(
  host: BenchHost,
  peer: { readonly host: number; readonly port: number },
  options: {
    readonly token: Uint8Array;
    readonly connections: number;
    readonly signal: AbortSignal;
  },
): Promise<Conn[]> {
  const { token, signal } = options;
  const { mechanism, identity } = host;
  const address: Address = { family: "AF_STP", stg: identity.name, ...peer };
  const conns: Conn[] = [];
  try {
    while (conns.length < options.connections) {
      const socket = mechanism.socket();
      await socket.connect(address, { timeoutMs: CONNECT_TIMEOUT_MS, token, signal });
      conns.push(socket.conn);
    }
    return conns;
  } catch (error) {
    for (const conn of conns) conn.abort("the benchmark ended early");
    throw error;
  }
}
