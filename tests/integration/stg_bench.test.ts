// `agent stg bench` as real processes: beside running daemons, without any, interrupted, refused.
// Whatever happens the two host ids are free afterwards and no process is left.

import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import type { StgView } from "../../agent/control/stg_view.ts";
import { Bed } from "./bed.ts";
import { until, within } from "./deadline.ts";
import { Program } from "./program.ts";

const TIMEOUT_MS = 120_000;

/** Second processes of benchmarks on this bed. */
function secondProcesses(folder: string): string[] {
  return readdirSync("/proc").filter((entry) => {
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      return words.includes(folder) && words.includes("--second=");
    } catch {
      return false; // No process, or one that ended meanwhile.
    }
  });
}

describe("agent stg bench", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  function line(bed: Bed): string[] {
    return ["stg", "bench", "stg0", "--config", bed.path("server.yaml")];
  }

  /** The rows of hosts that a benchmark had. */
  async function benchHosts(bed: Bed): Promise<StgView["hosts"]> {
    const config = ["--config", bed.path("server.yaml")];
    const { stdout } = await bed.expectOk("stg", "status", "stg0", ...config, "--json");
    const view: StgView = JSON.parse(stdout);
    return view.hosts.filter((host) => host.name.startsWith("bench-"));
  }

  test("measures beside running daemons and gives both host ids back", async () => {
    bed = await Bed.started();
    const ran = await bed.run([...line(bed), "--seconds", "1", "--json"]);
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const [summary] = ran.lines;
    expect(Object.keys(summary ?? {})).toEqual([
      "type",
      "stream",
      "round_trip",
      "cpu_seconds_per_gb",
    ]);
    const { stream, round_trip: trip } = summary as {
      stream: { bytes_per_second: number };
      round_trip: { median_us: number; p99_us: number };
    };
    expect(stream.bytes_per_second).toBeGreaterThan(1e6);
    expect(trip.median_us).toBeGreaterThan(0);
    expect(trip.p99_us).toBeGreaterThanOrEqual(trip.median_us);
    expect((await benchHosts(bed)).map((host) => [host.host, host.live])).toEqual([
      [7, false],
      [8, false],
    ]);
    // The daemons go on, and a second run needs no wait for a host that seems to live.
    expect((await bed.status("server")).stgs[0]?.state).toBe("up");
    expect((await bed.run([...line(bed), "--seconds=1", "--frame=4KiB"])).stdout).toContain(
      "writes:     4.00 KiB",
    );
  }, TIMEOUT_MS);

  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`${signal} ends both processes in order: exit ${code}`, async () => {
      bed = await Bed.make();
      await using program = new Program([...line(bed), "--seconds", "600"], { cwd: bed.folder });
      await untilStreaming(bed, 20_000);
      program.kill(signal);
      const ended = await within(20_000, "the end of the benchmark", program.ended);
      expect([ended.code, ended.stdout, ended.stderr]).toEqual([code, "", ""]);
      expect(secondProcesses(bed.folder)).toEqual([]);
      await expectDetached(bed);
    }, TIMEOUT_MS);
  }

  test("the second process ends when the first is killed", async () => {
    bed = await Bed.make();
    // The storage would tell it after a minute only.
    const yaml = readFileSync(bed.path("server.yaml"), "utf8");
    bed.write("server.yaml", yaml.replace(/dead_time: \w+/, "dead_time: 60s"));
    await using program = new Program([...line(bed), "--seconds", "600"], { cwd: bed.folder });
    await untilStreaming(bed, 20_000);
    program.kill("SIGKILL");
    await program.ended;
    const { folder } = bed;
    await until(20_000, "the end of the second process", () => {
      return secondProcesses(folder).length === 0 ? true : null;
    });
    const again = await bed.run([...line(bed), "--seconds", "1", "--json"]);
    expect([again.code, again.stderr]).toEqual([0, ""]);
  }, TIMEOUT_MS);

  test("is busy when no two host ids are free: exit 11", async () => {
    // The smallest volumes have room for four hosts, and the first is our own.
    bed = await Bed.make({ volumeSize: "16MiB" });
    await using program = new Program([...line(bed), "--seconds", "600"], { cwd: bed.folder });
    await untilStreaming(bed, 20_000);
    const second = await bed.run([...line(bed), "--seconds", "1", "--json"]);
    expect([second.code, second.stdout, second.error?.code]).toEqual([11, "", "busy"]);
    expect(second.error?.hint).toContain("agent stg status");
    program.kill("SIGTERM");
    expect((await within(20_000, "the end of the benchmark", program.ended)).code).toBe(143);
  }, TIMEOUT_MS);

  test("refuses what it cannot measure, each with its exit code", async () => {
    bed = await Bed.make();
    const config = ["--config", bed.path("server.yaml")];
    const unknown = await bed.run(["stg", "bench", "stg9", ...config, "--json"]);
    expect([unknown.code, unknown.error?.code]).toEqual([2, "usage"]);
    const noFile = await bed.run(["stg", "bench", "stg0", "--config", "none.yaml", "--json"]);
    expect([noFile.code, noFile.error?.code]).toEqual([2, "usage"]);
    await bed.makeArray("plain", "32MiB");
    bed.write("plain.yaml", withArray(bed, "plain"));
    const plain = ["stg", "bench", "stg0", "--config", bed.path("plain.yaml"), "--json"];
    const unformatted = await bed.run(plain);
    expect([unformatted.code, unformatted.error?.hint ?? ""]).toEqual([
      1,
      expect.stringContaining("stg format"),
    ]);
    renameSync(bed.path("array", "v1.dev"), bed.path("array", "away"));
    const missing = await bed.run([...line(bed), "--json"]);
    renameSync(bed.path("array", "away"), bed.path("array", "v1.dev"));
    expect(missing.code).not.toBe(0);
    expect(missing.error?.message).toContain("v1");
  }, TIMEOUT_MS);

  function withArray(bed: Bed, array: string): string {
    return `name: vault01
network: { listen: 127.0.0.1, port: ${bed.ports.server} }
control: unix:other.sock
stgs: [ { name: stg0, host: 1, array: ${array}, volumes: [v0, v1] } ]
vault: other
clients: {}
`;
  }

  async function untilStreaming(bed: Bed, limitMs: number): Promise<void> {
    await until(limitMs, "a benchmark that streams", async () => {
      const hosts = await benchHosts(bed);
      return hosts.filter((host) => host.live).length === 2 ? true : null;
    });
  }

  async function expectDetached(bed: Bed): Promise<void> {
    const hosts = await benchHosts(bed);
    expect(hosts.map((host) => host.live)).toEqual([false, false]);
  }
});
