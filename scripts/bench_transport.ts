// The transport benchmark's main program; scripts/bench-transport says what it measures.

import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { attachArray, createArray, removeArray } from "../emulator/mod.ts";
import { currentRuntime } from "../transport/runtime/current_runtime.ts";
import type { Runtime } from "../transport/runtime/runtime.ts";
import { formatStg } from "../transport/stp/mod.ts";
import { STEAL_MAX, TRIES_MAX } from "./bench/limits.ts";
import { type Standing, standingOf } from "./bench/median.ts";
import { type Contestant, CONTESTANTS } from "./bench/peer_stream.ts";
import { RING_FILE_BYTES } from "./bench/ring_stream.ts";
import { type PairOptions, type RunFigures, runPair } from "./bench/run_pair.ts";

const LABELS: Readonly<Record<Contestant, string>> = {
  tcp: "TCP loopback of the runtime",
  stp: "STP over the array, checksums on",
  ring: "bare ring in shared memory",
  "ring-crc": "the same with CRC-32 at both ends",
};

const VOLUME_BYTES = 256 * 1024 ** 2;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    runtime: { type: "string", default: "deno" },
    rounds: { type: "string", default: "5" },
    megabytes: { type: "string", default: "2000" },
    only: { type: "string", multiple: true },
    json: { type: "boolean", default: false },
  },
});

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function note(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

const DENO_RUN = [Deno.execPath(), "run", "-A", "--no-prompt", "--quiet", "--no-check"];

/** Makes the array with a formatted group. */
async function prepare(array: string, runtime: Runtime): Promise<void> {
  createArray(array, { volumes: 2, volumeBytes: VOLUME_BYTES }, runtime);
  const attached = attachArray(array, { hostName: "bench" }, runtime);
  try {
    const volumes = [attached.volume("v0"), attached.volume("v1")];
    await formatStg({ name: "bench", volumes, random: runtime.random });
  } finally {
    attached.close();
  }
}

/** Runs one contestant until the machine was quiet enough. */
async function runQuiet(contestant: Contestant, options: PairOptions): Promise<RunFigures> {
  for (let tries = 1;; tries += 1) {
    if (contestant.startsWith("ring")) {
      writeFileSync(join(options.folder, "ring"), "");
      truncateSync(join(options.folder, "ring"), RING_FILE_BYTES);
    }
    const figures = await runPair(contestant, options);
    if (figures.steal <= STEAL_MAX) return figures;
    note(`${contestant}: discarded, ${(figures.steal * 100).toFixed(0)} % of the time was taken`);
    if (tries === TRIES_MAX) throw new Error("Cannot measure: the machine is too busy");
  }
}

function printTable(standings: ReadonlyMap<Contestant, Standing>): void {
  say(`${"stream between two processes".padEnd(36)}   GB/s  x TCP  CPU s/GB`);
  for (const [contestant, { bytes_per_second, ratio, cpu_seconds_per_gb }] of standings) {
    const speed = (bytes_per_second / 1e9).toFixed(2).padStart(6);
    const cells = [ratio.toFixed(2).padStart(5), cpu_seconds_per_gb.toFixed(2).padStart(8)];
    say(`${LABELS[contestant].padEnd(36)} ${speed}  ${cells.join("  ")}`);
  }
}

/** Removes everything, also when Ctrl-C ends the benchmark: then the processes end as well. */
function clearWhenStopped(clear: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      clear();
      Deno.exit(130);
    });
  }
}

async function main(): Promise<void> {
  const parts = await currentRuntime();
  // On tmpfs, so that the ring's file and the array's devices are memory.
  const folder = mkdtempSync("/dev/shm/bench-");
  const array = join(folder, "array");
  const clear = (): void => {
    try {
      removeArray(array, parts);
    } catch (error) {
      if (existsSync(array)) note(String(error));
    }
    rmSync(folder, { recursive: true, force: true });
  };
  clearWhenStopped(clear);
  try {
    await prepare(array, parts);
    const runtime = values.runtime === "bun" ? [Deno.env.get("BUN") ?? "bun", "run"] : DENO_RUN;
    const bytes = Number(values.megabytes) * 1e6;
    const contestants = CONTESTANTS.filter((one) =>
      one === "tcp" || values.only === undefined || values.only.includes(one)
    );
    const rounds = new Map<Contestant, RunFigures[]>(contestants.map((one) => [one, []]));
    for (let round = 1; round <= Number(values.rounds); round += 1) {
      for (const contestant of contestants) {
        const place = contestant === "stp" ? array : folder;
        const figures = await runQuiet(contestant, { runtime, folder: place, bytes });
        rounds.get(contestant)?.push(figures);
        note(`round ${round} ${contestant}: ${(figures.bytesPerSecond / 1e9).toFixed(2)} GB/s`);
      }
    }
    const baseline = rounds.get("tcp") ?? [];
    const standings = new Map(
      [...rounds].map(([contestant, runs]) => [contestant, standingOf(runs, baseline)] as const),
    );
    if (values.json) {
      const result = Object.fromEntries(standings);
      say(JSON.stringify({ type: "summary", runtime: values.runtime, contestants: result }));
    } else printTable(standings);
  } finally {
    clear();
  }
}

await main();
