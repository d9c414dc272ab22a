// Runs one contestant once: two processes, their figures, and whether the machine was ours.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { RUN_TIMEOUT_MS } from "./limits.ts";
import type { Contestant } from "./peer_stream.ts";
import { measureSteal } from "./steal.ts";

export interface RunFigures {
  readonly bytesPerSecond: number;
  readonly cpuSecondsPerGigabyte: number;
  /** Part of the machine's time that others took, 0 to 1. */
  readonly steal: number;
}

export interface PairOptions {
  /** The command that runs a TypeScript file; its path and arguments follow. */
  readonly runtime: readonly string[];
  readonly folder: string;
  readonly bytes: number;
}

interface PeerEnd {
  readonly port: Promise<number>;
  readonly figures: Promise<{ readonly seconds: number; readonly cpuSeconds: number }>;
}

function startPeer(args: readonly string[], options: PairOptions, stop: AbortSignal): PeerEnd {
  const script = new URL("./peer.ts", import.meta.url).pathname;
  const [program = "", ...before] = options.runtime;
  const child = spawn(program, [...before, script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  stop.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });
  const port = Promise.withResolvers<number>();
  const figures = Promise.withResolvers<{ seconds: number; cpuSeconds: number }>();
  // Whoever waits for one of them hears of the end; the other must not count as unhandled.
  port.promise.catch(() => {});
  figures.promise.catch(() => {});
  createInterface({ input: child.stdout }).on("line", (line) => {
    const value: { port?: number; seconds?: number; cpuSeconds?: number } = JSON.parse(line);
    if (value.port !== undefined) port.resolve(value.port);
    const { seconds, cpuSeconds } = value;
    if (seconds !== undefined && cpuSeconds !== undefined) figures.resolve({ seconds, cpuSeconds });
  });
  const fail = (code: number | null): void => {
    const error = new Error(`${args.slice(0, 2).join(" ")} ended with ${code}`);
    port.reject(error);
    figures.reject(error);
  };
  child.on("error", () => fail(127));
  child.on("close", fail);
  return { port: port.promise, figures: figures.promise };
}

/** Moves `bytes` from a source to a sink process. @throws Error when one of them fails */
export async function runPair(contestant: Contestant, options: PairOptions): Promise<RunFigures> {
  const { folder, bytes } = options;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), RUN_TIMEOUT_MS);
  try {
    const steal = measureSteal();
    const sink = startPeer([contestant, "sink", folder, "0", String(bytes)], options, stop.signal);
    const port = String(await sink.port);
    const source = startPeer(
      [contestant, "source", folder, port, String(bytes)],
      options,
      stop.signal,
    );
    const [got, gave] = await Promise.all([sink.figures, source.figures]);
    return {
      bytesPerSecond: bytes / got.seconds,
      cpuSecondsPerGigabyte: (got.cpuSeconds + gave.cpuSeconds) / (bytes / 1e9),
      steal: steal(),
    };
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
