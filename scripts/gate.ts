// The gate's main program: runs the selected steps, those of a row side by side and the rows one
// after the other, all of them also after a failure, and ends with the line `N passed, N failed`.
// See scripts/test.

import { killRunningSteps, runStep, type StepResult } from "./gate/run_step.ts";
import { allSteps, rowsOf, selectSteps, type Step } from "./gate/steps.ts";

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
    killRunningSteps();
    Deno.exit(signal === "SIGINT" ? 130 : 143);
  });
}

/** Runs the steps of a row at once. */
async function runRow(row: readonly Step[]): Promise<readonly StepResult[]> {
  print(`\n== ${row.map(({ name }) => name).join(", ")}`);
  return await Promise.all(row.map(async (step) => {
    const result = await runStep(step, { root, strict });
    if (result.left.length > 0) {
      print(`Left behind by ${step.name}:\n  ${result.left.join("\n  ")}`);
    }
    print(`-- ${result.name}: ${result.failed === 0 ? "ok" : "FAILED"}`);
    return result;
  }));
}

const results: StepResult[] = [];
for (const row of rowsOf(selected)) results.push(...await runRow(row));
for (const { name, failures } of results) {
  for (const failure of failures) print(`\nFAILED in ${name}: ${failure}`);
}
printTable(results);
const sum = (key: "passed" | "failed"): number =>
  results.reduce((total, result) => total + result[key], 0);
print(`${sum("passed")} passed, ${sum("failed")} failed`);
Deno.exit(sum("failed") === 0 ? 0 : 1);
