// The bed with two hosts itself: it leaves nothing on the machine, whatever ends it, and its link
// and its LUN do what the tests on it rely on.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { runTool } from "../../scripts/demonstration/run_tool.ts";
import { HostPair } from "../../scripts/demonstration/two_hosts/host_pair.ts";
import { SharedLun } from "../../scripts/demonstration/two_hosts/shared_lun.ts";
import { until } from "./deadline.ts";
import { scriptCommand, Started } from "./program.ts";
import { canHaveTwoHosts, titleOf } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 60_000;
const GONE_MS = 10_000;
const MIB = 1024 * 1024;

/** The file behind a loop device; null when it has none. */
function backingOf(device: string): string | null {
  const path = `/sys/block/${basename(device)}/loop/backing_file`;
  return existsSync(path) ? readFileSync(path, "utf8").trim() : null;
}

function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}`);
}

/** Exit code of a direct read or write of one MiB at the start of a device. */
async function access(device: string, how: "read" | "write"): Promise<number> {
  const ends = how === "read"
    ? [`if=${device}`, "of=/dev/null", "iflag=direct"]
    : ["if=/dev/zero", `of=${device}`, "oflag=direct"];
  return (await runTool(["dd", ...ends, "bs=1M", "count=1"])).code;
}

(canHaveTwoHosts ? describe : describe.skip)(titleOf("two-host bed"), () => {
  test("nothing is left when the process that made it is killed", async () => {
    const script = scriptCommand("tests/integration/two_hosts_holder.ts");
    await using holder = new Started(script);
    const [, device = "", namespaces = ""] = await holder.waitFor(/ready (\S+) (\d+,\d+)/);
    const pids = namespaces.split(",").map(Number);
    expect(pids.map(isGone)).toEqual([false, false]);
    const ours = backingOf(device);
    expect(ours).toContain(`agent-lun-${holder.pid}`);
    holder.kill("SIGKILL");
    await holder.ended;
    await until(GONE_MS, "the end of the namespaces", () => pids.every(isGone) || null);
    await until(GONE_MS, "the end of the LUN", () => backingOf(device) !== ours || null);
  }, TIMEOUT_MS);

  test("a LUN that is taken away fails reads and writes, and stays away", async () => {
    using lun = await SharedLun.make(16 * MIB);
    expect(await access(lun.path, "write")).toBe(0);
    expect(await access(lun.path, "read")).toBe(0);
    lun.takeAway();
    for (let round = 0; round < 2; round += 1) {
      expect(await access(lun.path, "write")).not.toBe(0);
      expect(await access(lun.path, "read")).not.toBe(0);
    }
  }, TIMEOUT_MS);

  test("the LAN is cut and mended, and its counters count", async () => {
    await using pair = await HostPair.make();
    const reach = async (): Promise<boolean> => {
      // A reset is an answer: nobody listens on that port.
      const script = `exec 3<>/dev/tcp/${pair.address("client")}/9`;
      const command = ["timeout", "2", "bash", "-c", script];
      return (await runTool([...pair.enter("server"), ...command])).stderr.includes("refused");
    };
    expect(await reach()).toBe(true);
    const bytes = await pair.lanBytes();
    expect(bytes).toBeGreaterThan(0);
    await pair.cutLan();
    expect(await reach()).toBe(false);
    await pair.mendLan();
    await until(GONE_MS, "the way to the client", async () => await reach() || null);
    expect(await pair.lanBytes()).toBeGreaterThan(bytes);
  }, TIMEOUT_MS);
});
