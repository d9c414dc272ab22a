// One of the two processes of a run: `peer.ts TASK`, the task as JSON (peer_task.ts).
//
// The sink prints {"type":"listening","host":…,"port":…} and serves one benchmark; the source runs
// it and prints its figures. Everything measured is the engine's, agent/bench.

import {
  type BenchGauges,
  BenchHost,
  type ByteStream,
  connectBenchPeer,
  driveIdle,
  driveStreams,
  driveTrips,
  endBench,
  runBenchPeer,
  serveBench,
} from "../../agent/bench/mod.ts";
import { currentRuntime } from "../../transport/runtime/current_runtime.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import { driveBesideControl } from "./control_side.ts";
import { openGroup } from "./open_group.ts";
import { type Figures, type PeerTask, TOKEN } from "./peer_task.ts";
import { RING_FILE_BYTES, RingStream } from "./ring_stream.ts";

const CONNECT_TIMEOUT_MS = 20_000;
/** After the start, before a silent process is measured. */
const SETTLE_MS = 1000;
const address = "127.0.0.1";

const runtime = await currentRuntime();
const task: PeerTask = JSON.parse(runtime.process.args[0] ?? "null");
const gauges: BenchGauges = {
  clock: runtime.clock,
  cpuSeconds: () => runtime.process.cpuSeconds(),
};
const forever = new AbortController().signal;

function announce(host: number, port: number): void {
  runtime.process.write(1, `${JSON.stringify({ type: "listening", host, port })}\n`);
}

function openRing(runtime: Runtime): RingStream {
  const memory = runtime.memories.map(task.ring, RING_FILE_BYTES);
  const { side, carrier } = task;
  return new RingStream({ memory, clock: runtime.clock, side, checked: carrier === "ring-crc" });
}

async function sink(): Promise<void> {
  const { connections, carrier } = task;
  if (carrier === "stp") {
    const { host, close } = await openGroup(runtime, task);
    const code = await runBenchPeer(runtime, { host, token: TOKEN, connections, signal: forever });
    close();
    runtime.process.exit(code);
  }
  if (carrier !== "tcp") {
    announce(1, 1);
    return await serveBench(openRing(runtime), gauges);
  }
  const listener = await runtime.network.listen({ address, port: 0 });
  announce(1, listener.addr.family === "AF_INET" ? listener.addr.port : 0);
  const conns = [];
  while (conns.length < connections) conns.push(await listener.accept());
  await Promise.all(conns.map((conn) => serveBench(conn, gauges)));
  for (const conn of conns) await conn.close();
  await listener.close();
}

async function source(): Promise<void> {
  const { peer, connections, carrier } = task;
  if (peer === null) throw new Error("a source has a peer");
  if (carrier === "stp") return await storageSource(peer);
  if (carrier !== "tcp") return print(await drive([openRing(runtime)]));
  const conns = [];
  while (conns.length < connections) {
    const { port } = peer;
    conns.push(await runtime.network.connect({ address, port, timeoutMs: CONNECT_TIMEOUT_MS }));
  }
  print(await drive(conns));
  for (const conn of conns) await conn.close();
}

async function storageSource(peer: NonNullable<PeerTask["peer"]>): Promise<void> {
  const { connections } = task;
  const { host: options, close } = await openGroup(runtime, task);
  {
    await using host = await BenchHost.join({
      ...options,
      hostName: "source",
      endpoints: connections,
    });
    if (task.measure === "control") {
      print(await driveBesideControl(runtime, host, { ...task, peer }));
    } else {
      const aloneCpuPart = task.measure === "idle" ? await cpuPartAlone() : 0;
      const how = { token: TOKEN, connections, signal: forever };
      const conns = await connectBenchPeer(host, peer, how);
      const figures = await drive(conns);
      const { idleCpuPart } = figures;
      const connectionCpuPart = idleCpuPart === undefined ? null : idleCpuPart - aloneCpuPart;
      print(connectionCpuPart === null ? figures : { ...figures, connectionCpuPart });
      for (const conn of conns) await conn.close();
    }
  }
  close(); // The host id was given back on these volumes.
}

/** Part of one core that this process uses as a silent host of the group, without a connection. */
async function cpuPartAlone(): Promise<number> {
  const { clock, cpuSeconds } = gauges;
  await clock.sleep(SETTLE_MS);
  const before = cpuSeconds();
  await clock.sleep(task.seconds * 1000);
  return (cpuSeconds() - before) / task.seconds;
}

async function drive(streams: readonly ByteStream[]): Promise<Figures> {
  const [first] = streams;
  if (first === undefined) throw new Error("a run has a connection");
  let figures: Figures;
  if (task.measure === "idle") {
    const { firstMs, cpuPart } = await driveIdle(first, gauges, { idleMs: task.seconds * 1000 });
    figures = { firstMs, idleCpuPart: cpuPart };
  } else {
    const { frameBytes, seconds } = task;
    const stream = await driveStreams(streams, gauges, { frameBytes, seconds });
    const { bytesPerSecond, cpuSecondsPerGigabyte, smallestShare } = stream;
    figures = { bytesPerSecond, cpuSecondsPerGigabyte, smallestShare };
    if (task.measure === "stream") {
      const { medianUs, p99Us } = await driveTrips(first, gauges);
      figures = { ...figures, medianUs, p99Us };
    }
  }
  for (const stream of streams) await endBench(stream);
  return figures;
}

function print(figures: Figures): void {
  runtime.process.write(1, `${JSON.stringify({ type: "figures", figures })}\n`);
}

await (task.side === "sink" ? sink() : source());
runtime.process.exit(0);
