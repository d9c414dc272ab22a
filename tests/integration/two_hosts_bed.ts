// A bed on two hosts: network namespaces joined by a link of 1 Gbit/s, a LUN that both see, TLS
// between them, and the daemons as real processes, each on its host.
//
// Commands run in the namespace of the tests: they reach the daemons by Unix sockets, which do not
// cross the LAN.

import { mkdirSync } from "node:fs";
import type { Summary } from "../../agent/control/daemon.ts";
import { CLIENT } from "../../scripts/demonstration/configurations.ts";
import {
  clientConfiguration,
  GROUP,
  lanServerConfiguration,
  SERVER,
  serverConfiguration,
  type Surroundings,
} from "../../scripts/demonstration/two_hosts/configurations.ts";
import { type HostName, HostPair } from "../../scripts/demonstration/two_hosts/host_pair.ts";
import { whyNotTwoHosts } from "../../scripts/demonstration/two_hosts/permission.ts";
import { SharedLun } from "../../scripts/demonstration/two_hosts/shared_lun.ts";
import { Bed } from "./bed.ts";
import { STG_TIMES } from "./bed_config.ts";
import { differences } from "./odd_tree.ts";
import type { Program } from "./program.ts";

/** Bytes of the LUN: a group of some connections needs little. */
const LUN_BYTES = 128 * 1024 * 1024;

const whyNot = await whyNotTwoHosts();

/** True where this machine lets us have two hosts; else the tests on them are skipped. */
export const canHaveTwoHosts = whyNot === null;

/** The name of a group of tests, with the reason when they are skipped. */
export function titleOf(name: string): string {
  return whyNot === null ? name : `${name} (not on this machine: ${whyNot})`;
}

export type TwoHostsOptions = Pick<Surroundings, "channel">;

/** Two hosts with their daemons. Disposing leaves nothing on the machine. */
export class TwoHosts implements AsyncDisposable {
  readonly bed: Bed;
  readonly pair: HostPair;
  readonly lun: SharedLun;

  private constructor(bed: Bed, pair: HostPair, lun: SharedLun) {
    this.bed = bed;
    this.pair = pair;
    this.lun = lun;
  }

  /** Hosts, LUN, certificates, configurations and a formatted group; starts nothing. */
  static async make(options: TwoHostsOptions = {}): Promise<TwoHosts> {
    const pair = await HostPair.make();
    try {
      const hosts = new TwoHosts(Bed.empty(), pair, await SharedLun.make(LUN_BYTES));
      try {
        await hosts.#prepare(options);
        return hosts;
      } catch (error) {
        await hosts[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Two hosts whose server and client are up. */
  static async started(options: TwoHostsOptions = {}): Promise<TwoHosts> {
    const hosts = await TwoHosts.make(options);
    try {
      await Promise.all([hosts.start("server"), hosts.start("client")]);
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #prepare(options: TwoHostsOptions): Promise<void> {
    const { bed, pair, lun } = this;
    await bed.expectOk("pki", "init", bed.path("pki"));
    await this.#issue(SERVER, "server");
    await this.#issue(CLIENT, "client");
    const surroundings = { ...options, pair, lun: lun.path, times: STG_TIMES };
    bed.write("server.yaml", serverConfiguration(surroundings));
    bed.write("server-lan.yaml", lanServerConfiguration(surroundings));
    bed.write("client.yaml", clientConfiguration(surroundings));
    await bed.expectOk("stg", "format", GROUP, "--config", bed.path("server.yaml"));
  }

  async #issue(name: string, host: HostName): Promise<void> {
    const address = ["--address", this.pair.address(host)];
    await this.bed.expectOk("pki", "issue", this.bed.path("pki"), name, ...address);
  }

  /** Starts a daemon on its host; "server-lan" is the server that has the LAN alone. */
  start(side: "server" | "server-lan" | "client"): Promise<Program> {
    return this.bed.start(side, { wrapper: this.pair.enter(side === "client" ? side : "server") });
  }

  /** Starts a backup of `path` by the server; takes its result, or its failure, later. */
  backUp(path: string, side: "server" | "server-lan" = "server"): Promise<Summary> {
    const running = this.bed.job(side, "backup", "filesystem", "--client", CLIENT, path);
    running.catch(() => {}); // Whoever awaits it sees it.
    return running;
  }

  /** Restores the newest backup elsewhere; every difference to `tree`, where it came from. */
  async restoreAndCompare(tree: string): Promise<string[]> {
    const { bed } = this;
    mkdirSync(bed.path("restored"));
    await bed.job("server", "restore", "latest", "--target", bed.path("restored"));
    return await differences(tree, bed.path("restored") + tree);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed[Symbol.asyncDispose]();
    this.lun[Symbol.dispose]();
    await this.pair[Symbol.asyncDispose]();
  }
}
