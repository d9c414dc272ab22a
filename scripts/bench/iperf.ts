// iperf3 with one stream over loopback: the yard-stick that everybody knows.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { freePorts } from "../demonstration/free_ports.ts";
import { CHUNK_BYTES, RUN_OVERHEAD_MS } from "./limits.ts";
import type { Figures } from "./peer_task.ts";

/** Tries to reach the server, and milliseconds between two. */
const CONNECT_TRIES = 50;
const CONNECT_PAUSE_MS = 50;

interface IperfEnd {
  readonly error?: string;
  readonly end?: {
    readonly sum_received: { readonly bytes: number; readonly seconds: number };
    /** Percent of one core, user and system, of each process. */
    readonly cpu_utilization_percent: {
      readonly host_total: number;
      readonly remote_total: number;
    };
  };
}

export async function runIperf(seconds: number): Promise<Figures> {
  const port = String(await freePorts(1));
  const limit = { timeout: seconds * 1000 + RUN_OVERHEAD_MS };
  const server = spawn("iperf3", ["-s", "-1", "-B", "127.0.0.1", "-p", port], {
    stdio: "ignore",
    ...limit,
  });
  const time = ["-t", String(seconds), "-O", "1", "-l", String(CHUNK_BYTES)];
  try {
    for (let tries = 1;; tries += 1) {
      const found = await runClient(["-c", "127.0.0.1", "-p", port, "-J", ...time], limit.timeout);
      // The server tells nobody when it listens.
      if (!found.error?.includes("refused") || tries === CONNECT_TRIES) return figuresOf(found);
      await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS));
    }
  } finally {
    server.kill("SIGKILL");
  }
}

async function runClient(args: readonly string[], timeout: number): Promise<IperfEnd> {
  const client = spawn("iperf3", args, { stdio: ["ignore", "pipe", "inherit"], timeout });
  let text = "";
  client.stdout.setEncoding("utf8").on("data", (part: string) => text += part);
  await once(client, "close");
  return JSON.parse(text);
}

/** @throws Error with iperf3's own word when it failed */
export function figuresOf({ end, error }: IperfEnd): Figures {
  if (end === undefined || error !== undefined) throw new Error(`iperf3: ${error ?? "no figures"}`);
  const { bytes, seconds } = end.sum_received;
  const { host_total: near, remote_total: far } = end.cpu_utilization_percent;
  return {
    bytesPerSecond: bytes / seconds,
    cpuSecondsPerGigabyte: ((near + far) / 100 * seconds) / (bytes / 1e9),
  };
}
