// Starts the program as a user would, for the tests that need real processes.
//
// AGENT_BINARY names a compiled binary, AGENT_BUNDLE the folder of modules that Deno's binary is made
// of, which run under Deno; without them the sources run: under Bun in Bun's test run, else by
// scripts/agent under Deno. So the same tests cover both runtimes and the binary.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command, such as setpriv with its options: a program that execs the rest. */
  readonly wrapper?: readonly string[];
  /** What starts the program, where it is a copy. */
  readonly command?: readonly string[] | undefined;
  /** `runProgram` kills a program that runs longer. */
  readonly timeoutMs?: number;
}

/** What a finished run left. */
export interface ProgramResult {
  /** Exit code; 128 + the signal's number is not used: see `signal`. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds: no command of a test takes longer. */
const TIMEOUT_MS = 240_000;

const ROOT = fileURLToPath(import.meta.resolve("../../"));

/** The command that starts the program; arguments follow. */
export function programCommand(): readonly [string, ...string[]] {
  const binary = process.env["AGENT_BINARY"];
  if (binary !== undefined && binary !== "") return [binary];
  const bundle = process.env["AGENT_BUNDLE"];
  if (bundle !== undefined && bundle !== "") return bundleCommand(process.execPath, bundle);
  if (process.versions["bun"] !== undefined) return [process.execPath, `${ROOT}main.ts`];
  return [`${ROOT}scripts/agent`];
}

/** The command that runs a bundle, with the flags of scripts/agent and no configuration but its. */
export function bundleCommand(deno: string, folder: string): readonly [string, ...string[]] {
  const flags = ["--v8-flags=--max-semi-space-size=4", "--quiet", "--allow-all", "--no-prompt"];
  return [deno, "run", ...flags, "--config", join(folder, "deno.json"), join(folder, "main.ts")];
}

/** The command that runs a script of the tests in the runtime of the tests. */
export function scriptCommand(path: string, ...args: readonly string[]): readonly string[] {
  const run = process.versions["bun"] !== undefined ? [] : ["run", "-A", "--no-check"];
  return [process.execPath, ...run, `${ROOT}${path}`, ...args];
}

/** A running process with what it printed so far. Disposing kills it and waits for its end. */
export class Started implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<ProgramResult>;
  #stdout = "";
  #stderr = "";
  #waiters: (() => void)[] = [];

  constructor(words: readonly string[], options: ProgramOptions = {}) {
    const [command = "", ...args] = [...options.wrapper ?? [], ...words];
    this.child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const take = (stream: "out" | "err") => (text: string): void => {
      if (stream === "out") this.#stdout += text;
      else this.#stderr += text;
      for (const wake of this.#waiters.splice(0)) wake();
    };
    this.child.stdout?.setEncoding("utf8").on("data", take("out"));
    this.child.stderr?.setEncoding("utf8").on("data", take("err"));
    this.ended = once(this.child, "close").then(([code, signal]) => {
      for (const wake of this.#waiters.splice(0)) wake();
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits until the output (both streams) matches; rejects when the program ends before. */
  async waitFor(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = pattern.exec(`${this.#stdout}\n${this.#stderr}`);
      if (match !== null) return match;
      if (this.hasEnded) {
        throw new Error(`Program ended before ${pattern}:\n${this.#stdout}\n${this.#stderr}`);
      }
      const printed = new Promise<void>((wake) => {
        this.#waiters.push(wake);
      });
      // One that could not be started only fails.
      await Promise.race([printed, this.ended]);
    }
  }

  /** By its number: Deno's `child.kill` reports the signal as the end, whatever the exit code. */
  kill(signal: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    if (this.hasEnded || this.pid === 0) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It ended in this moment.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) this.kill("SIGKILL");
    await this.ended;
  }
}

/** The program with its arguments. */
export class Program extends Started {
  constructor(args: readonly string[], options: ProgramOptions = {}) {
    super([...options.command ?? programCommand(), ...args], options);
  }
}

/** Runs the program to its end. */
export async function runProgram(
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  await using program = new Program(args, options);
  const { timeoutMs = TIMEOUT_MS } = options;
  const timer = setTimeout(() => program.kill("SIGKILL"), timeoutMs);
  try {
    return await program.ended;
  } finally {
    clearTimeout(timer);
  }
}
