// `agent stg bench NAME --config FILE`: how fast bytes go through a group, without a daemon.
//
// The command starts itself a second time, with the hidden option --second, as the other host.

import { AgentError } from "../../../transport/ground/error.ts";
import {
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MIN,
  type StgBenchFigures,
  STREAM_SECONDS_DEFAULT,
  STREAM_SECONDS_MAX,
} from "../../bench/mod.ts";
import { formatSize } from "../../config/mod.ts";
import { EXIT_CANCELLED, EXIT_OK, EXIT_TERMINATED } from "../../exit_code.ts";
import { type Command, type CommandContext, JSON_OPTION } from "../command.ts";
import { renderFields } from "../table.ts";
import { findStg, STG_CONFIG, STG_NAME } from "./stg.ts";

export const stgBench: Command = {
  name: "stg bench",
  summary: "Measure stream and round trip through a group, between two processes",
  details:
    "Claims two host ids that no agent has, and gives them back. Works beside running agents,\n" +
    "which share the storage and the processor with it: measure on a quiet machine.",
  arguments: [STG_NAME],
  options: [
    STG_CONFIG,
    { name: "seconds", value: "S", help: `Seconds of streaming (${STREAM_SECONDS_DEFAULT})` },
    {
      name: "frame",
      value: "SIZE",
      help: `Bytes of one write (${formatSize(FRAME_BYTES_DEFAULT)})`,
    },
    { name: "encrypt", value: null, help: "Encrypt, as with `encrypt: true` of the group" },
    JSON_OPTION,
    { name: "second", value: "TOKEN", help: "Be the second process", hidden: true },
  ],
  examples: [
    "agent stg bench stg0 --config /etc/agent/server.yaml",
    "agent stg bench stg0 --config server.yaml --seconds 10 --frame 64KiB --json",
  ],
  async run(context) {
    const { given, offline } = context;
    const found = findStg(context);
    const encrypt = found.encrypt || given.flag("encrypt");
    const stg = { ...found, encrypt };
    const token = given.value("second");
    if (token !== null) {
      const signal = new AbortController().signal; // Its input's end stops it.
      return await (await offline()).stgBenchSecond(stg, { token, signal });
    }
    const frameBytes = frameOf(context);
    const seconds = given.count("seconds", STREAM_SECONDS_MAX) ?? STREAM_SECONDS_DEFAULT;
    const file = context.absolute(given.required("config"));
    const second = (token: string) => {
      const line = ["stg", "bench", stg.name, `--config=${file}`, `--second=${token}`];
      return encrypt ? [...line, "--encrypt"] : line;
    };
    return await interruptible(context, async (signal) => {
      print(
        context,
        await (await offline()).stgBench(stg, { frameBytes, seconds, second, signal }),
      );
    });
  },
};

function frameOf({ given }: CommandContext): number {
  const bytes = given.size("frame") ?? FRAME_BYTES_DEFAULT;
  if (bytes >= FRAME_BYTES_MIN && bytes <= FRAME_BYTES_MAX) return bytes;
  throw new AgentError(
    "usage",
    `Cannot use option --frame: found ${formatSize(bytes)}, need ` +
      `${formatSize(FRAME_BYTES_MIN)} to ${formatSize(FRAME_BYTES_MAX)}`,
  );
}

/** Runs until done or stopped by a signal, which ends it in order. @returns the exit code */
async function interruptible(
  { runtime }: CommandContext,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const stop = new AbortController();
  let by: number | null = null;
  const onSignal = (code: number) => () => {
    by ??= code;
    stop.abort(new AgentError("cancelled", "Cannot finish the benchmark: interrupted"));
  };
  const remove = [
    runtime.process.onSignal("SIGINT", onSignal(EXIT_CANCELLED)),
    runtime.process.onSignal("SIGTERM", onSignal(EXIT_TERMINATED)),
  ];
  try {
    await work(stop.signal);
    return EXIT_OK;
  } catch (error) {
    if (by === null || !(error instanceof AgentError) || error.code !== "cancelled") throw error;
    return by;
  } finally {
    for (const end of remove) end();
  }
}

function print({ json, out }: CommandContext, figures: StgBenchFigures): void {
  out.write(1, json ? `${JSON.stringify(toSummary(figures))}\n` : render(figures));
}

/** The contract's shape. */
function toSummary({ stream, trips }: StgBenchFigures) {
  return {
    type: "summary",
    stream: { bytes_per_second: Math.round(stream.bytesPerSecond) },
    round_trip: { median_us: rounded(trips.medianUs), p99_us: rounded(trips.p99Us) },
    cpu_seconds_per_gb: rounded(stream.cpuSecondsPerGigabyte),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function render({ stream, trips, ...group }: StgBenchFigures): string {
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
  const volumes = `${group.volumes} volume${group.volumes === 1 ? "" : "s"}`;
  return renderFields([
    [
      "group",
      `${volumes}, frames of ${formatSize(group.payloadBytes)}, ` +
      `ring of ${formatSize(group.ringBytes)}`,
    ],
    ["hosts", `${group.hosts[0]} to ${group.hosts[1]}`],
    ["writes", `${formatSize(group.frameBytes)}${group.isEncrypted ? ", encrypted" : ""}`],
    [
      "stream",
      `${gigabytes(stream.bytesPerSecond)} GB/s ` +
      `(${gigabytes(stream.bytes)} GB in ${stream.seconds.toFixed(1)} s)`,
    ],
    ["cpu", `${stream.cpuSecondsPerGigabyte.toFixed(2)} s/GB, both processes`],
    [
      "round trip",
      `median ${trips.medianUs.toFixed(1)} us, p99 ${trips.p99Us.toFixed(1)} us ` +
      `(${trips.trips} of 64 bytes)`,
    ],
  ]);
}
