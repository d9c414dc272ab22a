// Runs many seeds of the storage simulation in one process: `scripts/soak stp` calls it.
//
//   run_seeds.ts [--seeds N] [--from S] [--faults a,b] [--trace] [--keep]
//
// Prints progress, and for a seed that fails the one command that repeats it; then it exits 1, or
// with --keep goes on to the last seed first.

import { setTimeout } from "node:timers";
import process from "node:process";
import { parseArgs } from "node:util";
import { FAULT_CLASSES, type FaultClass, isFaultClass } from "./fault_plan.ts";
import { BrokenRule, simulateStp } from "./stp_simulation.ts";

/** Between two lines of progress, in ms. */
const PROGRESS_MS = 10_000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
}

function usage(what: string): never {
  say(`${what}\nusage: soak stp [--seeds N] [--from S] [--faults a,b] [--trace] [--keep]`);
  say(`faults: ${FAULT_CLASSES.join(", ")}, or none`);
  process.exit(2);
}

function countOf(name: string, text: string): number {
  const count = Number(text);
  return Number.isSafeInteger(count) && count >= 0 ? count : usage(`--${name} ${text}: no count`);
}

function faultsOf(text: string | undefined): FaultClass[] | undefined {
  if (text === undefined) return undefined;
  const names = text === "none" ? [] : text.split(",");
  return names.map((name) => isFaultClass(name) ? name : usage(`no fault "${name}"`));
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1" },
    from: { type: "string" },
    faults: { type: "string" },
    trace: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const seeds = countOf("seeds", values.seeds);
const from = countOf("from", values.from ?? String(Math.floor(Math.random() * 2 ** 31)));
const only = faultsOf(values.faults);
const totals = { sessions: 0, completed: 0, bytes: 0, failed: 0 };
const startedMs = performance.now();
let toldMs = startedMs;

for (let seed = from; seed < from + seeds; seed++) {
  try {
    const result = await simulateStp(seed, { only, verbose: values.trace });
    totals.sessions += result.sessions;
    totals.completed += result.completed;
    totals.bytes += result.deliveredBytes;
    if (values.trace) say(JSON.stringify(result));
  } catch (error) {
    if (!(error instanceof BrokenRule)) throw error;
    totals.failed++;
    for (const line of error.lines) say(line);
    say(error.message);
    if (values.trace) say(stackOf(error.cause));
    const faults = values.faults === undefined ? "" : ` --faults ${values.faults}`;
    say(`repeat: scripts/soak stp --seeds 1 --from ${seed}${faults} --trace`);
    if (!values.keep) process.exit(1);
  }
  if (performance.now() - toldMs < PROGRESS_MS) continue;
  toldMs = performance.now();
  say(`${seed - from + 1} of ${seeds} seeds, ${totals.sessions} connections`);
  // A long run of turns without a timer would starve the runtime's own work.
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
}
const seconds = (performance.now() - startedMs) / 1000;
say(
  `${seeds} seeds from ${from} in ${seconds.toFixed(1)} s: ${totals.sessions} connections, ` +
    `${totals.completed} complete, ${Math.round(totals.bytes / 1e6)} MB, ${totals.failed} failures`,
);
process.exit(totals.failed === 0 ? 0 : 1);
