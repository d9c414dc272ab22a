// The agent as a contestant: two daemons on an emulated array, and the commands that a person would
// type. What it costs is what the command and both daemons used.

import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { startAgents } from "../../demonstration/acts.ts";
import { AgentCalls } from "../../demonstration/agent_calls.ts";
import { CLIENT } from "../../demonstration/configurations.ts";
import { askSocket } from "../../demonstration/ask_socket.ts";
import { Stage } from "../../demonstration/stage.ts";
import type { BackupFigures } from "./backup_figures.ts";
import { type Cost, measureCommand } from "./measure_command.ts";
import { cpuSecondsOf, peakMibOf, readBytesOf, resetPeak } from "./process_cost.ts";
import type { BackupPeer } from "./stock_peers.ts";

const SIDES = ["server", "client"] as const;

export type AgentCost = Cost & BackupFigures;

export class AgentPeer implements BackupPeer, AsyncDisposable {
  readonly #stage: Stage;
  readonly #calls: AgentCalls;

  constructor(agent: readonly string[], parent: string) {
    this.#stage = new Stage(agent, { keep: false, parent });
    this.#calls = new AgentCalls(this.#stage, new AbortController().signal);
  }

  get archive(): string {
    return this.#stage.path("vault", "media");
  }

  /** Starts both daemons, once: each backup is a full one that later ones do not see. */
  async prepare(): Promise<void> {
    await startAgents(this.#stage, this.#calls);
  }

  backUp(source: string): Promise<AgentCost> {
    return this.#run("backup", "filesystem", "--client", CLIENT, "--full", source);
  }

  backUpAgain(source: string): Promise<AgentCost> {
    return this.#run("backup", "filesystem", "--client", CLIENT, source);
  }

  restore(target: string): Promise<AgentCost> {
    return this.#run("restore", "latest", "--target", target);
  }

  restoreOne(target: string, path: string): Promise<AgentCost> {
    return this.#run("restore", "latest", "--target", target, "--include", path);
  }

  /**
   * Milliseconds until the server has answered what `agent ls` asks: the start of that command
   * says more of the runtime than of the catalog.
   */
  async list(path: string): Promise<number> {
    const asked = `/v1/backups/latest/entries?${new URLSearchParams({ path })}`;
    const since = performance.now();
    const { status, body } = await askSocket(this.#stage.path("server.sock"), asked);
    if (status !== 200) throw new Error(`ls was answered by ${status}: ${body}`);
    return performance.now() - since;
  }

  catalogBytes(): number {
    const vault = this.#stage.path("vault");
    return readdirSync(vault)
      .filter((name) => name.startsWith("catalog.sqlite") && !name.endsWith("-shm"))
      .reduce((sum, name) => sum + statSync(join(vault, name)).size, 0);
  }

  /** Gives the disk back what the backups took: they are not asked for again. */
  dropMedia(): void {
    for (const name of readdirSync(this.archive)) rmSync(join(this.archive, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stage.clear();
  }

  async #run(...args: readonly string[]): Promise<AgentCost> {
    const pids = SIDES.map((side) => this.#stage.pidOf(side));
    for (const pid of pids) resetPeak(pid);
    const read = readBytesOf(this.#stage.pidOf("server"));
    const cpu = pids.map(cpuSecondsOf);
    const { seconds, cpuSeconds } = await this.#measure(...args);
    const [serverMib = NaN, clientMib = NaN] = pids.map(peakMibOf);
    const used = pids.map((pid, index) => cpuSecondsOf(pid) - (cpu[index] ?? NaN));
    return {
      seconds,
      cpuSeconds: used.reduce((sum, one) => sum + one, cpuSeconds),
      peakMib: Math.max(serverMib, clientMib),
      serverMib,
      clientMib,
      readBytes: readBytesOf(this.#stage.pidOf("server")) - read,
    };
  }

  async #measure(...args: readonly string[]): Promise<Cost> {
    const control = ["--control", `unix:${this.#stage.path("server.sock")}`];
    const command = [...this.#stage.agent, ...args, "--json", ...control];
    const { seconds, cpuSeconds, peakMib } = await measureCommand(this.#stage.folder, command);
    return { seconds, cpuSeconds, peakMib };
  }
}
