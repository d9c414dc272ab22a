// The demo's calls of the program: always as a person would type them, by its command line.

import type { BackupView, JobKind, JobView, Summary } from "../../agent/control/daemon.ts";
import { needTool, runTool } from "./run_tool.ts";
import { say } from "./say.ts";
import type { Stage } from "./stage.ts";

/** A daemon of the stage; "server-lan" is a second server, of the two-host demo. */
export type Side = "server" | "server-lan" | "client";

/** A command that did its work, with the job behind it. */
export interface DoneJob {
  readonly job: string;
  readonly summary: Summary;
}

function linesOf(output: Uint8Array): string[] {
  return new TextDecoder().decode(output).split("\n").filter((line) => line !== "");
}

/** Calls the program on one stage. */
export class AgentCalls {
  readonly #stage: Stage;
  readonly #signal: AbortSignal;

  constructor(stage: Stage, signal: AbortSignal) {
    this.#stage = stage;
    this.#signal = signal;
  }

  #control(side: Side): string[] {
    return ["--control", `unix:${this.#stage.path(`${side}.sock`)}`];
  }

  /** Runs a command that needs no daemon. @throws Error when it fails */
  async offline(...args: readonly string[]): Promise<void> {
    await needTool([...this.#stage.agent, ...args], { signal: this.#signal });
  }

  /** The same, for what it prints: its lines. */
  async offlineLines(...args: readonly string[]): Promise<string[]> {
    const command = [...this.#stage.agent, ...args];
    return linesOf(await needTool(command, { signal: this.#signal }));
  }

  /** Shows the command and its output, progress included. @throws Error when it fails */
  async show(side: Side | "offline", ...args: readonly string[]): Promise<void> {
    const control = side === "offline" ? [] : this.#control(side);
    const command = [...this.#stage.agent, ...args, ...control];
    say(`\n$ agent ${args.join(" ")}`);
    const { code } = await runTool(command, { show: true, signal: this.#signal });
    this.#signal.throwIfAborted();
    if (code !== 0) throw new Error(`agent ${args.join(" ")} ended with ${code}`);
  }

  /** Runs a command of a daemon without showing it; gives its lines. @throws Error when it fails */
  async lines(side: Side, ...args: readonly string[]): Promise<string[]> {
    const command = [...this.#stage.agent, ...args, "--json", ...this.#control(side)];
    return linesOf(await needTool(command, { signal: this.#signal }));
  }

  /** Runs a job's command without showing it. @throws Error when it fails */
  async job(side: Side, ...args: readonly string[]): Promise<Summary> {
    return JSON.parse((await this.lines(side, ...args)).at(-1) ?? "null");
  }

  /** Shows a command that runs a job, and finds that job's summary. */
  async runJob(side: Side, kind: JobKind, ...args: readonly string[]): Promise<DoneJob> {
    await this.show(side, ...args);
    const jobs = (await this.lines(side, "jobs")).map((line): JobView => JSON.parse(line));
    const ours = jobs.filter((view) => view.kind === kind)
      .sort((a, b) => a.created < b.created ? -1 : 1).at(-1);
    if (ours?.summary === undefined || ours.summary === null) {
      throw new Error(`agent jobs shows no ended job of kind ${kind}`);
    }
    return { job: ours.job, summary: ours.summary };
  }

  /** The newest published backup of a kind. */
  async newestBackup(kind: BackupView["kind"]): Promise<BackupView> {
    const views = (await this.lines("server", "backups"))
      .map((line): BackupView => JSON.parse(line));
    const found = views.filter((view) => view.kind === kind)
      .sort((a, b) => a.time < b.time ? -1 : 1).at(-1);
    if (found === undefined) throw new Error(`agent backups shows no ${kind} backup`);
    return found;
  }
}
