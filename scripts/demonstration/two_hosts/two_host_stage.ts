// The stage with two hosts on it: namespaces and link, the LUN, certificates, configurations, a
// formatted group, and the daemons, each on its host.

import { existsSync, statfsSync, writeFileSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { AgentCalls, type Side } from "../agent_calls.ts";
import { CLIENT } from "../configurations.ts";
import { Stage } from "../stage.ts";
import { waitReady } from "../wait_ready.ts";
import {
  clientConfiguration,
  GROUP,
  lanServerConfiguration,
  SERVER,
  serverConfiguration,
} from "./configurations.ts";
import { HostPair } from "./host_pair.ts";
import { SharedLun } from "./shared_lun.ts";

/** Bytes of the LUN, which take memory only where they are written: frames have their full size. */
const LUN_BYTES = 2 * 1024 ** 3;

/** Where data lie in memory, so that no disk is measured. */
const MEMORY_FOLDER = "/dev/shm";

/** Waits shorter than the defaults, so that nobody watches them for long. */
const TIMES = "heartbeat: 500ms, dead_time: 5s";

export interface TwoHostStageOptions {
  readonly keep: boolean;
  readonly signal: AbortSignal;
  /** Bytes of sources, media and restored files: they lie in memory when so much is free. */
  readonly dataBytes: number;
}

/** The folder to put `dataBytes` in; half of the memory stays free for everybody else. */
function dataFolder(dataBytes: number): string {
  if (!existsSync(MEMORY_FOLDER)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
  const free = Math.min(bavail * bsize, freemem());
  return free >= 2 * dataBytes ? MEMORY_FOLDER : tmpdir();
}

/** Two hosts, ready to work. Disposing leaves nothing on the machine. */
export class TwoHostStage implements AsyncDisposable {
  readonly stage: Stage;
  readonly calls: AgentCalls;
  readonly pair: HostPair;
  readonly lun: SharedLun;

  private constructor(stage: Stage, calls: AgentCalls, hosts: { pair: HostPair; lun: SharedLun }) {
    this.stage = stage;
    this.calls = calls;
    this.pair = hosts.pair;
    this.lun = hosts.lun;
  }

  /** @throws Error where namespaces or loop devices are not permitted */
  static async make(
    agent: readonly string[],
    options: TwoHostStageOptions,
  ): Promise<TwoHostStage> {
    await using undo = new AsyncDisposableStack();
    const pair = undo.use(await HostPair.make());
    const lun = await SharedLun.make(LUN_BYTES);
    const parent = dataFolder(options.dataBytes);
    const stage = new Stage(agent, { keep: options.keep, parent });
    undo.move();
    return new TwoHostStage(stage, new AgentCalls(stage, options.signal), { pair, lun });
  }

  /** Certificates, configurations, the group; `silent` does not show the commands. */
  async prepare(options: { readonly silent: boolean } = { silent: false }): Promise<void> {
    const { stage, pair, lun } = this;
    const run = (...args: readonly string[]): Promise<void> =>
      options.silent ? this.calls.offline(...args) : this.calls.show("offline", ...args);
    const pki = stage.path("pki");
    await run("pki", "init", pki);
    await run("pki", "issue", pki, SERVER, "--address", pair.address("server"));
    await run("pki", "issue", pki, CLIENT, "--address", pair.address("client"));
    const surroundings = { pair, lun: lun.path, times: TIMES };
    writeFileSync(stage.path("server.yaml"), serverConfiguration(surroundings));
    writeFileSync(stage.path("server-lan.yaml"), lanServerConfiguration(surroundings));
    writeFileSync(stage.path("client.yaml"), clientConfiguration(surroundings));
    await run("stg", "format", GROUP, "--config", stage.path("server.yaml"));
  }

  /** Starts a daemon on its host and waits until it is ready. */
  async start(side: Side): Promise<void> {
    const { stage, pair } = this;
    const role = side === "client" ? "client" : "server";
    const config = stage.path(`${side}.yaml`);
    stage.startDaemon(side, { role, config, enter: pair.enter(role) });
    await waitReady(stage.path(`${side}.sock`), () => stage.assertRunning(side));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage.clear();
    this.lun[Symbol.dispose]();
    await this.pair[Symbol.asyncDispose]();
  }
}
