// The array benchmark's main program; scripts/bench-array says what it measures.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { currentRuntime } from "../transport/runtime/current_runtime.ts";
import { ArrayBed } from "./bench/array/array_bed.ts";
import { type ArrayContestant, arrayContestants } from "./bench/array/array_contestants.ts";
import { ARRAY_GOALS, type ArrayRounds, withDerived } from "./bench/array/array_goals.ts";
import { arrayPlots, arrayTables } from "./bench/array/array_report.ts";
import type { ArrayFigures } from "./bench/array/array_task.ts";
import { SWEPT } from "./bench/array/limits.ts";
import { clearWhenStopped } from "./bench/clear_when_stopped.ts";
import { judge } from "./bench/goals.ts";
import { renderVerdicts } from "./bench/report.ts";
import { runQuiet } from "./bench/run_quiet.ts";
import { failUsage, note, say, scriptOptions, wholeNumber } from "./bench/script_options.ts";

const DENO_RUN = [Deno.execPath(), "run", "-A", "--no-prompt", "--quiet", "--no-check"];

const USAGE = "Usage: scripts/bench-array [--runtime deno|bun] [--runs N] [--seconds S] " +
  "[--json FILE] [--plot DIR]";

const values = scriptOptions(USAGE, Deno.args, {
  runtime: { type: "string", default: "deno" },
  runs: { type: "string", default: "5" },
  seconds: { type: "string", default: "1" },
  json: { type: "string" },
  plot: { type: "string" },
});

async function measure(all: readonly ArrayContestant[]): Promise<ArrayRounds> {
  const rounds = new Map<string, ArrayFigures[]>();
  for (let round = 1; round <= wholeNumber(values.runs, "runs"); round++) {
    const figures = new Map<string, ArrayFigures>();
    for (const contestant of all) {
      const found = await runQuiet(contestant.name, () => contestant.run(), note);
      figures.set(contestant.name, found);
      note(`round ${round} ${contestant.name}: ${JSON.stringify(found)}`);
    }
    for (const [name, found] of withDerived(figures, SWEPT)) {
      rounds.set(name, [...rounds.get(name) ?? [], found]);
    }
  }
  return rounds;
}

async function main(): Promise<void> {
  const { runtime } = values;
  if (runtime !== "deno" && runtime !== "bun") {
    failUsage(`Cannot use --runtime: found "${runtime}", need deno or bun`);
  }
  using bed = new ArrayBed(await currentRuntime());
  clearWhenStopped(bed);
  const command = runtime === "bun" ? [Deno.env.get("BUN") ?? "bun", "run"] : DENO_RUN;
  const rounds = await measure(
    arrayContestants(bed, command, wholeNumber(values.seconds, "seconds")),
  );
  const verdicts = judge(ARRAY_GOALS, rounds);
  say(`${arrayTables(rounds)}\n${renderVerdicts(verdicts)}\nMedians; ratios within each round.\n`);
  if (values.json !== undefined) {
    const found = Object.fromEntries(rounds);
    const summary = { type: "summary", runtime, rounds: found, goals: verdicts };
    writeFileSync(values.json, `${JSON.stringify(summary, null, 2)}\n`);
  }
  if (values.plot === undefined) return;
  mkdirSync(values.plot, { recursive: true });
  for (const [name, svg] of arrayPlots(rounds)) writeFileSync(join(values.plot, name), svg);
}

await main();
