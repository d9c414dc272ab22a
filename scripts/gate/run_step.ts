// Runs one step of the gate as a process group of its own, with a deadline, and counts its tests.
// The output goes to a file and is shown when the step failed, without the lines of good tests.

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { countJunit, type Counts, failedTests, settleCounts } from "./junit_report.ts";
import { LeftoverWatch } from "./leftovers.ts";
import type { Step } from "./steps.ts";

/** Milliseconds a step may take: twice what the longest takes on two cores. */
const STEP_TIMEOUT_MS = 30 * 60_000;

export interface StepResult extends Counts {
  readonly name: string;
  readonly seconds: number;
  /** The failed tests, each with its message. */
  readonly failures: readonly string[];
  /** What the step left on the machine. */
  readonly left: readonly string[];
}

/** Process groups of the running steps. */
const running = new Set<number>();

/** Ends the running steps and everything that they started. */
export function killRunningSteps(): void {
  for (const group of running) killGroup(group);
}

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // It ended by itself in this moment.
  }
}

function withReport(step: Step, file: string): readonly string[] {
  const [program = "", ...rest] = step.command;
  if (step.report === "deno-junit") {
    const [verb = "", ...others] = rest;
    return [program, verb, `--junit-path=${file}`, ...others];
  }
  if (step.report === "bun-junit") {
    return [program, ...rest, "--reporter=junit", `--reporter-outfile=${file}`];
  }
  return step.command;
}

/** Lines of a runner about a test that went well. */
const GOOD_LINE = /^\s*(?:\(pass\)|.* \.\.\. ok \()/;

function readOutput(file: string): string {
  return readFileSync(file, "utf8").split("\n").filter((line) => !GOOD_LINE.test(line)).join("\n");
}

function runProcess(
  command: readonly string[],
  options: { readonly env: Step["env"]; readonly root: string; readonly output: number },
): Promise<number> {
  const [program = "", ...args] = command;
  const { env, root, output } = options;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", output, output],
      detached: true,
    });
    const group = child.pid;
    const end = (): void => {
      if (group !== undefined) killGroup(group);
    };
    if (group !== undefined) running.add(group);
    const timer = setTimeout(() => {
      process.stderr.write(`Step took longer than ${STEP_TIMEOUT_MS / 60_000} minutes: ended.\n`);
      end();
    }, STEP_TIMEOUT_MS);
    const finish = (code: number): void => {
      clearTimeout(timer);
      // What a test left behind must not disturb the next step.
      end();
      if (group !== undefined) running.delete(group);
      resolve(code);
    };
    child.on("error", () => finish(127));
    child.on("exit", (code) => finish(code ?? 1));
  });
}

function readReport(step: Step, file: string): Counts & Pick<StepResult, "failures"> {
  const none = { passed: 0, failed: 0, skipped: 0, failures: [] };
  if (step.report === "exit-code") return none;
  const runner = step.report === "deno-junit" ? "deno" : "bun";
  try {
    const xml = readFileSync(file, "utf8");
    return { ...countJunit(xml, runner), failures: failedTests(xml, runner) };
  } catch {
    return none;
  }
}

/** Runs the step to its end; `strict` makes skipped tests failures. */
export async function runStep(
  step: Step,
  options: { readonly root: string; readonly strict: boolean },
): Promise<StepResult> {
  const folder = mkdtempSync(join(tmpdir(), "gate-"));
  const started = performance.now();
  try {
    const file = join(folder, "report.xml");
    const log = join(folder, "output");
    const output = openSync(log, "w");
    const watch = new LeftoverWatch(join(folder, "memory"), basename(folder));
    const command = watch.wrap(withReport(step, file));
    const env = { ...step.env, ...watch.env };
    const exitCode = await runProcess(command, { env, root: options.root, output });
    closeSync(output);
    const left = await watch.left();
    if (exitCode !== 0 || step.name === "build") process.stdout.write(readOutput(log));
    const { failures, ...found } = readReport(step, file);
    const counts = settleCounts(
      step.report === "exit-code" && exitCode === 0 ? { ...found, passed: 1 } : found,
      { exitCode, strict: options.strict, left: left.length },
    );
    const seconds = (performance.now() - started) / 1000;
    return { name: step.name, seconds, failures, left, ...counts };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
