// The bed of the end-to-end tests: a temporary folder with an array, a formatted storage transport
// group, two configurations, and the daemons as real processes.
//
// Invariants:
//  1. Disposing ends every daemon, gives the array's memory back and removes the folder, also when
//     a test failed half-way.
//  2. Every wait has a deadline; a daemon that does not come up fails with what it printed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobView, StatusView, Summary } from "../../agent/control/daemon.ts";
import { freePorts } from "../../scripts/demonstration/free_ports.ts";
import { clientYaml, type ConfigOptions, type Ports, serverYaml } from "./bed_config.ts";
import { formatBedGroup, makeBedArray, removeBedArray } from "./bed_storage.ts";
import { callProgram } from "./call_program.ts";
import { callControl } from "./control_call.ts";
import { until, within } from "./deadline.ts";
import { Program, type ProgramOptions, type ProgramResult, runProgram } from "./program.ts";

/** Milliseconds: a daemon's start, one command, and the end after SIGTERM. */
const START_MS = 30_000;
export const COMMAND_MS = 120_000;

/** What a job is in the end. */
const ENDED: readonly string[] = ["ok", "incomplete", "failed", "cancelled"];
const STOP_MS = 20_000;

/** Name of a daemon on a bed: "server", "client", or a further client's name. */
export type Side = string;

export interface BedOptions extends ConfigOptions {
  /** Size of each of the two volumes. */
  readonly volumeSize?: string;
}

/** What a finished command printed, understood. */
export interface CommandResult extends ProgramResult {
  /** Objects of standard output; empty without --json. */
  readonly lines: readonly Record<string, unknown>[];
  readonly summary: Summary | null;
  /** The error line of standard error. */
  readonly error: { code: string; message: string; hint: string | null } | null;
}

export class Bed implements AsyncDisposable {
  readonly folder: string;
  ports: Ports = { server: 0, client: 0 };
  readonly #daemons = new Map<Side, Program>();
  readonly #arrays: string[] = [];

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "agent-bed-"));
  }

  /** A bed of a folder alone, for tests that bring storage and configurations of their own. */
  static empty(): Bed {
    return new Bed();
  }

  /** Makes the folder, the array, the group and the configurations; starts nothing. */
  static async make(options: BedOptions = {}): Promise<Bed> {
    const bed = new Bed();
    try {
      await bed.makeArray("array", options.volumeSize ?? "64MiB");
      bed.ports = { server: await freePorts(2), client: await freePorts(2) };
      bed.write("server.yaml", serverYaml(bed.ports, options));
      bed.write("client.yaml", clientYaml(bed.ports, options));
      await formatBedGroup(bed.path("server.yaml"));
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
    return bed;
  }

  /** A bed with both daemons up. */
  static async started(options: BedOptions = {}): Promise<Bed> {
    const bed = await Bed.make(options);
    try {
      await Promise.all([bed.start("server"), bed.start("client")]);
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
    return bed;
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text);
  }

  async makeArray(name: string, size: string): Promise<void> {
    this.#arrays.push(this.path(name));
    await makeBedArray(this.path(name), size);
  }

  /** Starts a daemon from NAME.yaml and waits until it answers on NAME.sock. */
  async start(
    side: Side,
    options: Pick<ProgramOptions, "wrapper" | "command"> = {},
  ): Promise<Program> {
    const daemon = this.launch(side, options);
    const answers = until(START_MS, `the start of ${side}`, async () => {
      if (daemon.hasEnded) throw new Error(`${side} ended:\n${daemon.stdout}\n${daemon.stderr}`);
      const { status } = await callControl(this.socket(side), "/healthz");
      return status === 200 ? true : null;
    });
    await answers;
    return daemon;
  }

  /** Starts a daemon without waiting. */
  launch(side: Side, options: Pick<ProgramOptions, "wrapper" | "command"> = {}): Program {
    const role = side.startsWith("server") ? "server" : "client";
    const args = ["--role", role, "--config", this.path(`${side}.yaml`)];
    const daemon = new Program(args, { cwd: this.folder, ...options });
    this.#daemons.set(side, daemon);
    return daemon;
  }

  daemon(side: Side): Program {
    const daemon = this.#daemons.get(side);
    if (daemon === undefined) throw new Error(`${side} was not started`);
    return daemon;
  }

  socket(side: Side): string {
    return this.path(`${side}.sock`);
  }

  /** Ends a daemon by a signal. @returns how it ended */
  async stop(side: Side, signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<ProgramResult> {
    const daemon = this.daemon(side);
    daemon.kill(signal);
    const result = await within(STOP_MS, `the end of ${side}`, daemon.ended);
    this.#daemons.delete(side);
    return result;
  }

  /** Runs a command as a process to its end, whatever its exit code. */
  async run(args: readonly string[], side?: Side): Promise<CommandResult> {
    const words = this.#words(args, side);
    return understand(await runProgram(words, { cwd: this.folder, timeoutMs: COMMAND_MS }));
  }

  /** Runs a command with --json against a daemon. */
  json(side: Side, ...args: readonly string[]): Promise<CommandResult> {
    return this.run([...args, "--json"], side);
  }

  /** Runs a command in this process, whatever its exit code: for tests that are not about it. */
  async call(args: readonly string[], side?: Side): Promise<CommandResult> {
    const words = this.#words(args, side);
    return understand(await callProgram(words, { cwd: this.folder, timeoutMs: COMMAND_MS }));
  }

  #words(args: readonly string[], side?: Side): readonly string[] {
    return side === undefined ? args : [...args, "--control", `unix:${this.socket(side)}`];
  }

  /** A command that must end with 0, in this process. @throws Error with what it printed */
  async expectOk(...args: readonly string[]): Promise<CommandResult> {
    const result = await this.call(args);
    if (result.code !== 0) throw new Error(failure(args, result));
    return result;
  }

  /** A job's command that must end with 0 and a summary, in this process. */
  async job(side: Side, ...args: readonly string[]): Promise<Summary> {
    const result = await this.call([...args, "--json"], side);
    if (result.code !== 0 || result.summary === null) throw new Error(failure(args, result));
    return result.summary;
  }

  /** A GET on the control endpoint, as JSON. */
  async get<T>(side: Side, path: string): Promise<T> {
    const { status, body } = await callControl(this.socket(side), path);
    if (status !== 200) throw new Error(`GET ${path} of ${side}: ${status} ${body}`);
    return JSON.parse(body);
  }

  jobs(side: Side): Promise<JobView[]> {
    return this.get(side, "/v1/jobs");
  }

  status(side: Side): Promise<StatusView> {
    return this.get(side, "/v1/status");
  }

  /** The jobs of a daemon when all have ended: the two sides of a job do not end at once. */
  endedJobs(side: Side): Promise<JobView[]> {
    return until(COMMAND_MS, `the end of the jobs of ${side}`, async () => {
      const jobs = await this.jobs(side);
      return jobs.every(({ state }) => ENDED.includes(state)) ? jobs : null;
    });
  }

  /** Waits until a job of this daemon moves data: `bytes` of progress at least. */
  moving(side: Side, bytes = 1): Promise<JobView> {
    return until(START_MS, `a job of ${side} that moves data`, async () => {
      const jobs = await this.jobs(side);
      const moves = (job: JobView): boolean => {
        return job.state === "running" && (job.progress?.bytes ?? 0) >= bytes;
      };
      return jobs.find(moves) ?? null;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.values()) await daemon[Symbol.asyncDispose]();
    for (const array of this.#arrays) await removeBedArray(array);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function failure(args: readonly string[], result: CommandResult): string {
  const { code, stdout, stderr } = result;
  return `agent ${args.join(" ")} ended with ${code}:\n${stdout.slice(-2000)}\n${stderr}`;
}

function understand(result: ProgramResult): CommandResult {
  const lines = objects(result.stdout);
  const summary = lines.find((line) => line["type"] === "summary") ?? null;
  const error = objects(result.stderr).find((line) => line["type"] === "error") ?? null;
  return {
    ...result,
    lines,
    summary: summary as Summary | null,
    error: error as CommandResult["error"],
  };
}

function objects(text: string): Record<string, unknown>[] {
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}
