// The gate's main program: runs the selected steps one after the other, all of them also after a
// failure, and ends with the line `N passed, N failed`. See scripts/test.

import { watchLeftovers } from "./gate/leftovers.ts";
import { killRunningStep, runStep, type StepResult } from "./gate/run_step.ts";
import { allSteps, selectSteps } from "./gate/steps.ts";

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function printTable(results: readonly StepResult[]): void {
  print("\nstep                     seconds  passed  failed  skipped");
  for (const { name, seconds, passed, failed, skipped } of results) {
    const numbers = [seconds.toFixed(1).padStart(7), String(passed).padStart(6)];
    print(
      `${name.padEnd(24)} ${numbers.join("  ")}  ${String(failed).padStart(6)}  ` +
        `${String(skipped).padStart(7)}`,
    );
  }
}

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const names = Deno.args.filter((name) => !name.startsWith("-"));
const strict = Deno.env.get("CI") === "true" || Deno.args.includes("--strict");
const steps = allSteps({
  root,
  deno: Deno.env.get("DENO") ?? "deno",
  bun: Deno.env.get("BUN") ?? "bun",
  permissions: (Deno.env.get("DENO_PERMISSIONS") ?? "").split(" ").filter(Boolean),
  full: names.length === 0,
  conformanceBytes: Deno.env.get("CONFORMANCE_BYTES"),
});
if (Deno.args.includes("--list")) {
  for (const step of steps) print(`${step.name.padEnd(24)} ${step.groups.join(" ")}`);
  Deno.exit(0);
}
const selected = selectSteps(steps, names);
if ("unknown" in selected) {
  print(`Cannot run step "${selected.unknown}": no such step, need one of scripts/test --list`);
  Deno.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    killRunningStep();
    Deno.exit(signal === "SIGINT" ? 130 : 143);
  });
}

const results: StepResult[] = [];
for (const step of selected) {
  print(`\n== ${step.name}`);
  const leftovers = watchLeftovers();
  let result = await runStep(step, { root, strict });
  const left = leftovers();
  if (left.length > 0) {
    print(`Left behind by ${step.name}:\n  ${left.join("\n  ")}`);
    // Elsewhere they may be those of an agent that runs on the same machine.
    if (strict) result = { ...result, failed: result.failed + 1 };
  }
  results.push(result);
  print(`-- ${step.name}: ${result.failed === 0 ? "ok" : "FAILED"}`);
}
printTable(results);
const sum = (key: "passed" | "failed"): number =>
  results.reduce((total, result) => total + result[key], 0);
print(`${sum("passed")} passed, ${sum("failed")} failed`);
Deno.exit(sum("failed") === 0 ? 0 : 1);
