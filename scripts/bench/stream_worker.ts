// The worker of control_side.ts: opens the group's volumes on its own thread, as a job does, and
// streams to the sink.

import { driveStreams, endBench } from "../../agent/bench/mod.ts";
import type { EndpointLease, HostClaim, StgIdentity } from "../../transport/mod.ts";
import { currentRuntime } from "../../transport/runtime/current_runtime.ts";
import { StpMechanism } from "../../transport/stp/mod.ts";
import { openGroup } from "./open_group.ts";
import { type PeerTask, TOKEN } from "./peer_task.ts";

/** Plain data that crosses from the main thread. */
export interface StreamTask {
  readonly task: PeerTask & { readonly peer: { readonly host: number; readonly port: number } };
  readonly identity: StgIdentity;
  readonly claim: HostClaim;
  readonly lease: EndpointLease;
}

const CONNECT_TIMEOUT_MS = 20_000;

const runtime = await currentRuntime();
const parent = runtime.parentThread();
parent.onMessage((message) => void stream(message as StreamTask));

async function stream({ task, identity, claim, lease }: StreamTask): Promise<void> {
  const { clock, process } = runtime;
  const { host, close } = await openGroup(runtime, task);
  const mechanism = new StpMechanism({ ...host, identity, claim, lease });
  const socket = mechanism.socket();
  const { frameBytes, seconds, peer } = task;
  await socket.connect(
    { family: "AF_STP", stg: identity.name, ...peer },
    { timeoutMs: CONNECT_TIMEOUT_MS, token: TOKEN },
  );
  parent.post({ started: true });
  const gauges = { clock, cpuSeconds: () => process.cpuSeconds() };
  const figures = await driveStreams([socket.conn], gauges, { frameBytes, seconds });
  await endBench(socket.conn);
  await socket.close();
  close();
  const { bytesPerSecond, cpuSecondsPerGigabyte } = figures;
  parent.post({ figures: { bytesPerSecond, cpuSecondsPerGigabyte } });
}
