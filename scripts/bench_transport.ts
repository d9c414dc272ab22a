// The transport benchmark's main program; scripts/bench-transport says what it measures.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { currentRuntime } from "../transport/runtime/current_runtime.ts";
import { BenchBed } from "./bench/bed.ts";
import { clearWhenStopped } from "./bench/clear_when_stopped.ts";
import { type Contestant, contestants, type RunContext } from "./bench/contestants.ts";
import { GOALS, judge } from "./bench/goals.ts";
import { BUSY_LOAD, CHUNK_BYTES } from "./bench/limits.ts";
import type { Figures } from "./bench/peer_task.ts";
import { drawPlots } from "./bench/plots.ts";
import { renderResult, type Result, toJson } from "./bench/report.ts";
import { runQuiet } from "./bench/run_quiet.ts";
import { failUsage, note, say, scriptOptions, wholeNumber } from "./bench/script_options.ts";

const DENO_RUN = [Deno.execPath(), "run", "-A", "--no-prompt", "--quiet", "--no-check"];

const USAGE = "Usage: scripts/bench-transport [--runtime deno|bun] [--runs N] [--seconds S] " +
  "[--only NAME]... [--json FILE] [--plot FILE]";

const values = scriptOptions(USAGE, Deno.args, {
  runtime: { type: "string", default: "deno" },
  runs: { type: "string", default: "5" },
  seconds: { type: "string", default: "2" },
  only: { type: "string", multiple: true },
  json: { type: "string" },
  plot: { type: "string" },
});

/** Steal tells what other machines took; what others on this one take shows here only. */
function warnWhenBusy(): void {
  const [load = 0] = loadavg();
  if (load < BUSY_LOAD * availableParallelism()) return;
  note(`The machine is busy (load ${load.toFixed(1)}): the figures will say little.`);
}

function lacks(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status !== 0;
}

const ALL = contestants({
  iperf3: () => lacks("iperf3", "--version") ? "iperf3 is not installed" : null,
  device: () =>
    Deno.uid() !== 0
      ? "loop devices need root"
      : lacks("losetup", "--find")
      ? "there is no free loop device"
      : null,
});

function quietly(contestant: Contestant, context: RunContext): Promise<Figures> {
  return runQuiet(contestant.name, () => contestant.run(context), note);
}

/** The contestants that were asked for, all without `--only`; an unknown name is an error. */
function chosen(): readonly Contestant[] {
  const names = values.only?.flatMap((text) => text.split(","));
  const unknown = names?.find((name) => !ALL.some((one) => one.name === name));
  if (unknown !== undefined) {
    failUsage(`Cannot run "${unknown}": need one of ${ALL.map((one) => one.name).join(", ")}`);
  }
  return ALL.filter(({ name }) => names?.includes(name) ?? true);
}

async function measure(context: RunContext): Promise<Result> {
  const asked = chosen();
  const missing = asked.map((one) => [one, one.missing?.() ?? null] as const);
  const skipped = missing.flatMap(([one, why]) =>
    why === null ? [] : [`Left out: ${one.label}, because ${why}.`]
  );
  for (const text of skipped) note(text);
  const able = missing.flatMap(([one, why]) => why === null ? [one] : []);
  const rounds = new Map<string, Figures[]>(able.map(({ name }) => [name, []]));
  const runs = wholeNumber(values.runs, "runs");
  for (let round = 1; round <= runs; round += 1) {
    for (const contestant of able) {
      if (round > (contestant.rounds ?? runs)) continue;
      const figures = await quietly(contestant, context);
      rounds.get(contestant.name)?.push(figures);
      note(`round ${round} ${contestant.name}: ${JSON.stringify(figures, shortNumber)}`);
    }
  }
  const verdicts = judge(GOALS, rounds);
  return { runtime: values.runtime, contestants: ALL, rounds, verdicts, skipped };
}

function shortNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

async function plot(context: RunContext, directory: string): Promise<void> {
  const [tcp, stp] = ["tcp", "stp"].map((name) => ALL.find((one) => one.name === name));
  if (tcp === undefined || stp === undefined) throw new Error("the plots compare STP with TCP");
  const rounds = wholeNumber(values.runs, "runs");
  const files = await drawPlots({ context, rounds, tcp, stp, runQuiet: quietly });
  mkdirSync(directory, { recursive: true });
  for (const [name, svg] of files) {
    writeFileSync(join(directory, name), svg);
    say(`${join(directory, name)}\n`);
  }
}

async function main(): Promise<void> {
  if (values.runtime !== "deno" && values.runtime !== "bun") {
    failUsage(`Cannot use --runtime: found "${values.runtime}", need deno or bun`);
  }
  await using bed = await BenchBed.make(await currentRuntime());
  clearWhenStopped(bed);
  warnWhenBusy();
  const runtime = values.runtime === "bun" ? [Deno.env.get("BUN") ?? "bun", "run"] : DENO_RUN;
  const seconds = wholeNumber(values.seconds, "seconds");
  const context = { bed, runtime, seconds, frameBytes: CHUNK_BYTES, ringSlots: null };
  if (values.plot !== undefined) return await plot(context, values.plot);
  const result = await measure(context);
  say(renderResult(result));
  if (values.json === undefined) return;
  writeFileSync(values.json, `${JSON.stringify(toJson(result), null, 2)}\n`);
}

await main();
