// A host with systemd of its own on this machine, see host/boot: packages are installed and units
// started there for real. Needs root, overlay file systems and control groups.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needTool, runTool } from "../../scripts/demonstration/run_tool.ts";
import { until } from "../integration/deadline.ts";

const BOOT = fileURLToPath(import.meta.resolve("./host/boot"));
const UP_MS = 60_000;

export interface Ran {
  readonly code: number;
  readonly output: string;
}

export class SystemHost implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #process: string;

  private constructor(child: ChildProcess, folder: string, process: string) {
    this.#child = child;
    this.#folder = folder;
    this.#process = process;
  }

  static async boot(name: string): Promise<SystemHost> {
    const folder = mkdtempSync(join(tmpdir(), `host-${name}-`));
    const child = spawn(BOOT, [name, folder], { stdio: ["pipe", "pipe", "inherit"] });
    const said = await Promise.race([once(child.stdout, "data"), once(child, "close")]);
    const host = new SystemHost(child, folder, String(said[0]).trim());
    try {
      await until(UP_MS, `the host ${name} to be up`, async () => {
        const { output } = await host.run("systemctl is-system-running");
        return /running|degraded/.test(output) ? true : null;
      });
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Path on this machine of a file of the host. */
  path(file: string): string {
    return `/proc/${this.#process}/root${file}`;
  }

  /** Joins this host's network device `device` to one of `other`. */
  async connect(other: SystemHost, device: string, addresses: readonly [string, string]) {
    const peer = ["type", "veth", "peer", "name", device, "netns", other.#process];
    await needTool([...this.network, "ip", "link", "add", device, ...peer]);
    for (const [host, address] of [[this, addresses[0]], [other, addresses[1]]] as const) {
      await host.good(`ip link set lo up && ip link set ${device} up`);
      await host.good(`ip address add ${address} dev ${device}`);
    }
  }

  /** Words before a command that let it run in the host's network, and with this machine's files. */
  get network(): readonly string[] {
    return ["nsenter", `--net=/proc/${this.#process}/ns/net`, "--"];
  }

  /** Makes a block device of this machine appear on the host. */
  async attach(device: string, link: string): Promise<void> {
    const { rdev } = statSync(device);
    const numbers = `${(rdev >> 8) & 0xfff} ${rdev & 0xff}`;
    await this.good(`mknod -m 660 ${device} b ${numbers}`);
    await this.good(`mkdir -p $(dirname ${link}) && ln -s ${device} ${link}`);
  }

  /** Runs a shell's line on the host, as root. */
  async run(line: string): Promise<Ran> {
    const enter = ["nsenter", `--target=${this.#process}`, "--all", "--", "env", "-i"];
    const env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"];
    const shell = ["sh", "-c", `cd /root && { ${line}\n} 2>&1`];
    const { code, stdout, stderr } = await runTool([...enter, ...env, ...shell]);
    return { code, output: new TextDecoder().decode(stdout) + stderr };
  }

  /** The same for what must succeed. @returns what it printed */
  async good(line: string): Promise<string> {
    const { code, output } = await this.run(line);
    if (code !== 0) throw new Error(`${line} ended with ${code}: ${output}`);
    return output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      const closed = once(this.#child, "close");
      this.#child.stdin?.end();
      await closed;
    }
    rmSync(this.#folder, { recursive: true, force: true });
    for (const rest of [".hierarchies", ".log"]) rmSync(this.#folder + rest, { force: true });
  }
}

/** The package of this checkout, made of dist/agent into `folder`. */
export async function makePackage(folder: string): Promise<string> {
  const build = fileURLToPath(import.meta.resolve("../../scripts/build-deb"));
  const made = await needTool([build, "--compression", "none", "--output", folder]);
  return new TextDecoder().decode(made).trim();
}
