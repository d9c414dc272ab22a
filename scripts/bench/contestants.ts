// Everything that one round of the benchmark runs, in this order, and how.

import type { StgConfig } from "../../agent/config/mod.ts";
import type { BenchBed } from "./bed.ts";
import { runDd } from "./dd.ts";
import { runIperf } from "./iperf.ts";
import { CHUNK_BYTES, IDLE_MS, MANY_CONNECTIONS } from "./limits.ts";
import type { Figures, PeerTask } from "./peer_task.ts";
import { runPair } from "./run_pair.ts";

export interface RunContext {
  readonly bed: BenchBed;
  /** The command that runs a TypeScript file in the runtime under test. */
  readonly runtime: readonly string[];
  readonly seconds: number;
  /** Payload of a group's frames and bytes of a write. */
  readonly frameBytes: number;
  readonly ringSlots: number | null;
}

export interface Contestant {
  readonly name: string;
  /** What it is, for the table. */
  readonly label: string;
  /** Rounds in which it takes part; absent: all. A silence of ten seconds does not vary much. */
  readonly rounds?: number;
  /** Why it cannot run here, or null. */
  readonly missing?: () => string | null;
  run(context: RunContext): Promise<Figures>;
}

type TaskChanges = Partial<Omit<PeerTask, "side" | "peer">>;

function pair(context: RunContext, changes: TaskChanges): Promise<Figures> {
  const { bed, frameBytes, seconds } = context;
  if (changes.carrier?.startsWith("ring")) bed.freshRing();
  return runPair(context.runtime, {
    carrier: "stp",
    measure: "stream",
    stg: bed.array,
    ring: bed.ring,
    frameBytes,
    seconds,
    connections: 1,
    control: `${bed.folder}/control.sock`,
    ...changes,
  });
}

/** The array's group, laid out as asked. */
async function onArray(context: RunContext, changes: TaskChanges = {}): Promise<Figures> {
  const { bed, frameBytes, ringSlots } = context;
  await bed.format(bed.array, layoutOf(frameBytes, ringSlots));
  return await pair(context, changes);
}

/** A frame's payload has bounds of its own; writes may be smaller and larger. */
export function layoutOf(frameBytes: number, ringSlots: number | null) {
  const payloadBytes = Math.min(Math.max(frameBytes, 64 * 1024), CHUNK_BYTES);
  return { payloadBytes, ...(ringSlots === null ? {} : { ringSlots }) };
}

async function onDevice(context: RunContext): Promise<Figures> {
  const stg: StgConfig = await context.bed.raw();
  return await pair(context, { stg });
}

const idle = { measure: "idle", seconds: IDLE_MS / 1000 } as const;
const many = { measure: "many", connections: MANY_CONNECTIONS } as const;

/** @param missing tells why a tool or device is not to be had, or null */
export function contestants(missing: {
  readonly iperf3: () => string | null;
  readonly device: () => string | null;
}): readonly Contestant[] {
  return [
    { name: "tcp", label: "TCP loopback of the runtime", run: (c) => pair(c, { carrier: "tcp" }) },
    { name: "stp", label: "STP over the array, checksums on", run: (c) => onArray(c) },
    {
      name: "iperf3",
      label: "iperf3, one stream",
      missing: missing.iperf3,
      run: ({ seconds }) => runIperf(seconds),
    },
    {
      name: "many",
      label: `STP, ${MANY_CONNECTIONS} connections at once`,
      run: (c) => onArray(c, many),
    },
    { name: "ring", label: "bare ring, mapped", run: (c) => pair(c, { carrier: "ring" }) },
    {
      name: "ring-crc",
      label: "bare ring, mapped, CRC-32 at both ends",
      run: (c) => pair(c, { carrier: "ring-crc" }),
    },
    { name: "raw", label: "STP on a loop device, direct", missing: missing.device, run: onDevice },
    {
      name: "dd",
      label: "two dd on that device, direct",
      missing: missing.device,
      run: ({ bed }) => runDd(bed.device()),
    },
    {
      name: "control",
      label: "STP in a worker beside the control endpoint",
      run: (c) => onArray(c, { measure: "control" }),
    },
    { name: "idle", label: "STP, silent for 10 s", rounds: 2, run: (c) => onArray(c, idle) },
  ];
}
