// `agent stg bench`: arguments, what it prints for people and machines, the second process, signals.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../../../transport/mod.ts";
import { CliBed } from "./cli_bed.ts";

let bed: CliBed;

const LINE = ["stg", "bench", "stg0", "--config", "c.yaml"] as const;

beforeEach(async () => {
  bed = await CliBed.open();
  writeFileSync(
    join(bed.directory, "c.yaml"),
    `name: web01
network: { port: 7530 }
control: unix:c.sock
server: { address: 127.0.0.1, port: 7430 }
stgs: [ { name: stg0, host: 2, array: array, volumes: [v0] } ]
`,
  );
});

afterEach(() => bed.close());

describe("agent stg bench", () => {
  test("prints the contract's summary with --json", async () => {
    const { code, stdout } = await bed.run(...LINE, "--seconds", "10", "--frame=64KiB", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      type: "summary",
      stream: { bytes_per_second: 2_500_000_000 },
      round_trip: { median_us: 8.123, p99_us: 30.5 },
      cpu_seconds_per_gb: 0.612,
    });
    const second = ["stg", "bench", "stg0", `--config=${join(bed.directory, "c.yaml")}`];
    expect(bed.offlineCalls).toEqual([["stg0", 65_536, 10, [...second, "--second=00ff"]]]);
  });

  test("encrypts in both processes with --encrypt, and where the group does", async () => {
    expect((await bed.run(...LINE, "--encrypt")).code).toBe(0);
    const [[, , , second] = []] = bed.offlineCalls as [unknown, number, number, string[]][];
    expect(second?.slice(-2)).toEqual(["--second=00ff", "--encrypt"]);
  });

  test("prints figures for people", async () => {
    const { code, stdout } = await bed.run(...LINE);
    expect(code).toBe(0);
    expect(stdout).toContain("stream:     2.50 GB/s (7.50 GB in 3.0 s)");
    expect(stdout).toContain("round trip: median 8.1 us, p99 30.5 us (5000 of 64 bytes)");
    expect(stdout).toContain("ring of 2.00 MiB");
  });

  test("is the second process with the hidden option, which no help names", async () => {
    expect((await bed.run(...LINE, "--second", "00ff")).code).toBe(1);
    expect(bed.offlineCalls).toEqual([["stg0", "00ff"]]);
    expect((await bed.run("stg", "bench", "--help")).stdout).not.toContain("second TOKEN");
  });

  test("refuses frames, times and groups that cannot be", async () => {
    for (
      const [option, text] of [
        ["--frame=100B", "need 512 B to 4.00 MiB"],
        ["--frame=8MiB", "need 512 B to 4.00 MiB"],
        ["--seconds=0", "a whole number from 1 to 3600"],
      ] as const
    ) {
      const { code, stderr } = await bed.run(...LINE, option);
      expect([code, stderr.includes(text)]).toEqual([2, true]);
    }
    const unknown = await bed.run("stg", "bench", "stg9", "--config", "c.yaml");
    expect([unknown.code, unknown.stderr.includes('Did you mean "stg0"?')]).toEqual([2, true]);
  });

  for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`ends in order on ${signal}: exit ${exit}`, async () => {
      bed.bench = (stopped) =>
        new Promise((_, reject) => {
          stopped.addEventListener("abort", () => reject(stopped.reason), { once: true });
          queueMicrotask(() => bed.signal(signal));
        });
      const { code, stdout } = await bed.run(...LINE);
      expect([code, stdout, bed.listeners]).toEqual([exit, "", 0]);
    });
  }

  test("a failure is an error line and its exit code", async () => {
    bed.bench = () =>
      Promise.reject(new AgentError("busy", "Cannot measure group", { hint: "H." }));
    const { code, stderr } = await bed.run(...LINE, "--json");
    expect(code).toBe(11);
    expect(JSON.parse(stderr)).toMatchObject({ type: "error", code: "busy", hint: "H." });
  });
});
