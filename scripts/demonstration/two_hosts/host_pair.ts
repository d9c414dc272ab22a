// Two hosts on one machine: two network namespaces joined by a link of 1 Gbit/s, with counters.
//
// Invariants:
//  1. A namespace lives as long as a process is in it. Its holder ends when its standard input
//     closes, so that namespaces and link are gone with us, also after SIGKILL, when who runs
//     others in them sees that they end as well (stage.ts). (`ip netns add` would leave a name
//     behind.)
//  2. The link is shaped at both ends, and it is the only way from one host to the other: what its
//     ends have sent is all that crossed the LAN.
//  3. Only the network is separate: files, devices and Unix sockets are those of the machine.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { needTool } from "../run_tool.ts";

export type HostName = "server" | "client";

/** Each pair has these addresses: nobody outside of its two namespaces sees them. */
const ADDRESSES: Readonly<Record<HostName, string>> = { server: "10.77.0.1", client: "10.77.0.2" };

/** Name of the network device of either host. */
const DEVICE = "lan0";

/** What one end of the link may send (tc-tbf(8)); `scripts/bench-two-hosts` shows what arrives. */
const SHAPE = ["tbf", "rate", "1gbit", "burst", "256k", "latency", "50ms"];

/** Holds a namespace until its input closes; says when the namespace is there. */
const HOLD = "ip link set lo up && echo ready && exec cat";

/** Milliseconds a holder gets to end by itself. */
const END_MS = 5_000;

/** A process in a namespace of its own. */
class NamespaceHolder {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<NamespaceHolder> {
    // A group of its own: Ctrl-C on the terminal is for the bed, which ends its holders itself.
    const child = spawn("unshare", ["--net", "--", "sh", "-c", HOLD], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => complaint += text);
    const ready = new Promise<boolean>((resolve) => {
      child.stdout?.once("data", () => resolve(true));
      child.once("error", () => resolve(false));
      child.once("close", () => resolve(false));
    });
    if (await ready) return new NamespaceHolder(child);
    throw new Error(`Cannot make a network namespace: ${complaint.trim() || "unshare failed"}`);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
    await closed;
    clearTimeout(timer);
  }
}

/** The two hosts and the LAN between them. */
export class HostPair implements AsyncDisposable {
  readonly #holders: Readonly<Record<HostName, NamespaceHolder>>;

  private constructor(holders: Readonly<Record<HostName, NamespaceHolder>>) {
    this.#holders = holders;
  }

  /** @throws Error where namespaces, veth or tbf are not permitted */
  static async make(): Promise<HostPair> {
    const server = await NamespaceHolder.start();
    const client = await NamespaceHolder.start().catch(async (error) => {
      await server.end();
      throw error;
    });
    const pair = new HostPair({ server, client });
    try {
      const peer = ["type", "veth", "peer", "name", DEVICE, "netns", String(client.pid)];
      await pair.#run("server", "ip", "link", "add", DEVICE, ...peer);
      for (const host of ["server", "client"] as const) await pair.#connect(host);
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
    return pair;
  }

  async #connect(host: HostName): Promise<void> {
    await this.#run(host, "ip", "address", "add", `${ADDRESSES[host]}/24`, "dev", DEVICE);
    await this.#run(host, "tc", "qdisc", "add", "dev", DEVICE, "root", ...SHAPE);
    await this.#run(host, "ip", "link", "set", DEVICE, "up");
  }

  async #run(host: HostName, ...command: readonly string[]): Promise<Uint8Array> {
    return await needTool([...this.enter(host), ...command]);
  }

  /** Address of a host on the LAN. */
  address(host: HostName): string {
    return ADDRESSES[host];
  }

  /** Words before a command that let it run on `host`; nsenter becomes that command. */
  enter(host: HostName): readonly string[] {
    return ["nsenter", `--net=/proc/${this.#holders[host].pid}/ns/net`, "--"];
  }

  /** Bytes that crossed the LAN in both directions since it was made, with all headers. */
  async lanBytes(): Promise<number> {
    let bytes = 0;
    for (const host of ["server", "client"] as const) {
      const shown = await this.#run(host, "ip", "-json", "-stats", "link", "show", "dev", DEVICE);
      bytes += JSON.parse(new TextDecoder().decode(shown))[0].stats64.tx.bytes;
    }
    return bytes;
  }

  /** Pulls the plug: nothing crosses until `mendLan`. */
  async cutLan(): Promise<void> {
    await this.#run("server", "ip", "link", "set", DEVICE, "down");
  }

  async mendLan(): Promise<void> {
    await this.#run("server", "ip", "link", "set", DEVICE, "up");
  }

  /** Ends both hosts' networks; programs that still run there keep theirs until they end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#holders.server.end(), this.#holders.client.end()]);
  }
}
