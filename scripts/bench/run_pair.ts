// Runs one contestant once: a sink and a source process, and what the source measured. While a
// stream runs beside a control endpoint, this process asks it.

import { spawn } from "node:child_process";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { quantile } from "../../agent/bench/mod.ts";
import { unitEnvironment } from "../demonstration/unit_environment.ts";
import { CONTROL_PAUSE_MS, RUN_OVERHEAD_MS } from "./limits.ts";
import type { Figures, PeerTask } from "./peer_task.ts";

/** A line that a process of a run prints. */
interface PeerLine {
  readonly type: "listening" | "streaming" | "figures" | "error";
  readonly host?: number;
  readonly port?: number;
  readonly figures?: Figures;
  readonly message?: string;
}

interface RunningPeer {
  /** The first line of this type. @throws Error when the process ends without it */
  line(type: PeerLine["type"]): Promise<PeerLine>;
  readonly ended: Promise<void>;
}

function startPeer(
  runtime: readonly string[],
  task: PeerTask,
  stop: AbortSignal,
): RunningPeer {
  const script = new URL("./peer.ts", import.meta.url).pathname;
  const [program = "", ...before] = runtime;
  const child = spawn(program, [...before, script, JSON.stringify(task)], {
    // What the caller sets comes first: to measure without what the units set.
    env: { ...unitEnvironment("server"), ...process.env },
    // A sink on a group ends when its input does.
    stdio: ["pipe", "pipe", "inherit"],
  });
  stop.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });
  const lines: PeerLine[] = [];
  let over: Error | null = null;
  const waiters = new Set<() => void>();
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  createInterface({ input: child.stdout }).on("line", (text) => {
    const line: PeerLine = JSON.parse(text);
    if (line.type === "error") over = new Error(line.message);
    lines.push(line);
    wake();
  });
  const ended = new Promise<void>((resolve) => {
    const end = (code: number | null): void => {
      over ??= new Error(`${task.carrier} ${task.side} ended with ${code}`);
      resolve();
      wake();
    };
    child.on("error", () => end(127));
    child.on("close", end);
  });
  const line = (type: PeerLine["type"]): Promise<PeerLine> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((one) => one.type === type);
        if (found === undefined && over === null) return;
        waiters.delete(look);
        if (found !== undefined) resolve(found);
        else reject(over);
      };
      waiters.add(look);
      look();
    });
  return { line, ended };
}

/** @throws Error when one of the processes fails */
export async function runPair(
  runtime: readonly string[],
  task: Omit<PeerTask, "side" | "peer">,
): Promise<Figures> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), task.seconds * 1000 + RUN_OVERHEAD_MS);
  try {
    const sink = startPeer(runtime, { ...task, side: "sink", peer: null }, stop.signal);
    const { host = 0, port = 0 } = await sink.line("listening");
    const peer = { host, port };
    const source = startPeer(runtime, { ...task, side: "source", peer }, stop.signal);
    const asked = task.measure === "control" ? await askWhile(source, task.control) : {};
    const { figures = {} } = await source.line("figures");
    await Promise.all([sink.ended, source.ended]);
    return { ...figures, ...asked };
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** Asks the control endpoint until the stream's figures are there. */
async function askWhile(source: RunningPeer, path: string): Promise<Figures> {
  await source.line("streaming");
  let over = false;
  const end = source.line("figures").then(() => over = true, () => over = true);
  const samples: number[] = [];
  while (!over) {
    const since = performance.now();
    const ok = await askHealth(path);
    if (ok) samples.push(performance.now() - since);
    await new Promise((resolve) => setTimeout(resolve, CONTROL_PAUSE_MS));
  }
  await end;
  return { controlP99Ms: quantile(samples, 0.99) };
}

/** @returns false when it did not answer: the endpoint is closed when the stream is over */
function askHealth(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: "/healthz", agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
      response.on("error", () => resolve(false));
    });
    call.on("error", () => resolve(false));
    call.end();
  });
}
